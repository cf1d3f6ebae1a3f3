/** What a farm must bear, and whether it did. Pure. */
import { isIdle, type Miss, type ProcessFacts, type SiegeRun } from './run.js'

/** The bounds. */
export const musts = {
  /** A storm under an attack takes at most so many times what it takes without. */
  timeShareMost: 1.5,
  /** Resident memory of each process of the server, 10^6 bytes. A storm of 500 without an attack takes half of it. */
  rssMbMost: 512,
  /** Of the descriptors that a process may have. */
  descriptorShareMost: 0.9,
  /** Of an agent, over that of the largest one without an attack, 10^6 bytes. */
  agentRssMbMore: 8,
} as const

/** What counts as given back: so much over what there was before, and this many beside. */
const back = {
  descriptorShare: 1.1,
  descriptors: 16,
  /** Over what a process has after a storm without an attack: heaps of V8 and C keep much of what they once had. */
  rssShare: 1.25,
  rssMb: 128,
} as const

/**
 * What a server holds that it should have given back: its processes, and artifact streams that run.
 * `calm`: the processes after a storm without an attack.
 */
export function keptOf(
  processes: readonly ProcessFacts[],
  streams: number,
  calm: readonly ProcessFacts[],
): Miss[] {
  const held = processes.flatMap(({ name, before, after }) => {
    if (after === null) return []
    const kept: Miss[] = []
    for (const what of ['descriptors', 'sockets'] as const) {
      if (after[what] <= before[what] * back.descriptorShare + back.descriptors) continue
      const text = `${name} keeps ${after[what]} ${what}, had ${before[what]}`
      kept.push({ must: 'descriptors-back', text })
    }
    const usual = calm.find((other) => other.name === name)?.after?.rssMb
    if (usual !== undefined && after.rssMb > usual * back.rssShare + back.rssMb) {
      const text = `${name} keeps ${after.rssMb.toFixed(0)} MB, without an attack ${usual.toFixed(0)}`
      kept.push({ must: 'memory-back', text })
    }
    return kept
  })
  if (streams === 0) return held
  return [...held, { must: 'streams-back', text: `${streams} artifact streams still run` }]
}

/** The middle one; of an even number the one above the middle. Null counts as longest. */
export function medianS(seconds: readonly (number | null)[]): number | null {
  const sorted = [...seconds].sort((a, b) => (a ?? Number.MAX_VALUE) - (b ?? Number.MAX_VALUE))
  return sorted[sorted.length >> 1] ?? null
}

/** What the runs under one attack miss: times by their median, all else by the worst run. */
export function judge(runs: readonly SiegeRun[], calm: readonly SiegeRun[]): Miss[] {
  const misses = runs.flatMap((run) => [...whileAttacked(run, calm), ...afterwards(run)])
  const once = misses.filter(
    ({ must, text }, index) =>
      misses.findIndex((other) => other.must === must && other.text === text) === index,
  )
  return [...time(runs, calm), ...once]
}

function time(runs: readonly SiegeRun[], calm: readonly SiegeRun[]): Miss[] {
  const [attackedS, calmS] = [
    medianS(runs.map(({ stormS }) => stormS)),
    medianS(calm.map(({ stormS }) => stormS)),
  ]
  // Nodes that failed are a miss of their own.
  if (attackedS === null || calmS === null || attackedS <= calmS * musts.timeShareMost) return []
  const share = (attackedS / calmS).toFixed(2)
  return [{ must: 'time', text: `${attackedS.toFixed(1)} s, ${share} times ${calmS.toFixed(1)} s` }]
}

function whileAttacked(run: SiegeRun, calm: readonly SiegeRun[]): Miss[] {
  const misses: Miss[] = []
  if (run.failed > 0) {
    misses.push({
      must: 'nodes',
      text: `${run.failed} did not boot (${run.failures.slice(0, 3).join('; ')})`,
    })
  }
  if (run.daemonEnded !== null) misses.push({ must: 'alive', text: `the daemon ended: ${run.daemonEnded}` })
  for (const { name, peak, after } of run.processes) {
    if (after === null && run.daemonEnded === null) misses.push({ must: 'alive', text: `${name} ended` })
    if (peak.rssMb > musts.rssMbMost) {
      misses.push({ must: 'memory', text: `${name} had ${peak.rssMb.toFixed(0)} MB` })
    }
    if (peak.descriptors > run.descriptorLimit * musts.descriptorShareMost) {
      misses.push({ must: 'descriptors', text: `${name} had ${peak.descriptors} of ${run.descriptorLimit}` })
    }
  }
  const usualMb = Math.max(0, ...calm.map(({ agents }) => agents.rssMb))
  if (run.agents.rssMb > usualMb + musts.agentRssMbMore) {
    const text = `an agent had ${run.agents.rssMb.toFixed(1)} MB, without an attack ${usualMb.toFixed(1)}`
    misses.push({ must: 'agents', text })
  }
  const idle = Object.entries(run.did).filter(([, counts]) => isIdle(counts))
  return [...misses, ...idle.map(([name]): Miss => ({ must: 'attack', text: `${name} did nothing` }))]
}

function afterwards(run: SiegeRun): Miss[] {
  const misses = [...run.kept]
  if (run.originS === null) misses.push({ must: 'origin', text: 'no part of the artifact came over HTTPS' })
  if (run.lateNodeS === null)
    misses.push({ must: 'late-node', text: 'a node that came afterwards did not boot' })
  return misses
}
