/** The result of a siege as it is written to the JSON file and as a table. Pure. */
import { over, round } from '../storm/result.js'
import { judge, medianS, musts } from './judge.js'
import type { ProcessFacts, SiegeRun } from './run.js'
import type { SiegeOptions } from './siege-options.js'

/** All storms under one attack, or under none. */
export interface Storms {
  readonly name: string
  readonly about: string
  readonly runs: readonly SiegeRun[]
}

const phases = ['dhcp', 'tftp', 'http', 'manifest', 'download'] as const

/** {@link describeSiege} is its one source. */
export type SiegeResult = ReturnType<typeof describeSiege>
type Row = ReturnType<typeof rowOf>

/** Puts the result together. */
export function describeSiege(
  options: Omit<SiegeOptions, 'attacks'>,
  payloadBytes: number,
  calm: Storms,
  attacked: readonly Storms[],
) {
  const rows = attacked.map((storms) => rowOf(storms, calm.runs))
  return {
    nodes: options.nodes,
    rack_size: options.rackSize,
    link_mbit: options.linkMbit,
    payload_bytes: payloadBytes,
    stage1_bytes: options.stage1Bytes,
    seed: options.seed,
    repeat: options.repeat,
    settle_s: options.settleS,
    descriptor_limit: calm.runs[0]?.descriptorLimit ?? 0,
    musts: {
      time_share_most: musts.timeShareMost,
      rss_mb_most: musts.rssMbMost,
      descriptor_share_most: musts.descriptorShareMost,
      agent_rss_mb_more: musts.agentRssMbMore,
    },
    calm: rowOf(calm, calm.runs),
    attacks: rows,
    missed: rows.reduce((sum, { missed }) => sum + missed.length, 0),
  }
}

function rowOf({ name, about, runs }: Storms, calm: readonly SiegeRun[]) {
  const stormS = medianS(runs.map((run) => run.stormS))
  const calmS = medianS(calm.map((run) => run.stormS))
  const names = [...new Set(runs.flatMap(({ processes }) => processes.map((each) => each.name)))]
  const worst = (pick: (run: SiegeRun) => number) => Math.max(...runs.map(pick))
  const longest = (pick: (run: SiegeRun) => number | null) => {
    const all = runs.map(pick)
    return all.includes(null) ? null : round(Math.max(...all.map(Number)), 2)
  }
  return {
    name,
    about,
    storm_s: stormS === null ? null : round(stormS, 2),
    storms_s: runs.map((run) => (run.stormS === null ? null : round(run.stormS, 2))),
    time_share: calmS === null ? null : over(stormS, calmS),
    phases_s: Object.fromEntries(
      phases.map((phase) => {
        const longestS = medianS(runs.map(({ phasesS }) => phasesS[phase]))
        return [phase, longestS === null ? null : round(longestS, 2)]
      }),
    ),
    failed: worst(({ failed }) => failed),
    processes: names.map((each) => processRow(each, runs)),
    agent_rss_mb: round(
      worst(({ agents }) => agents.rssMb),
      1,
    ),
    agent_descriptors: worst(({ agents }) => agents.descriptors),
    back_s: longest((run) => run.backS),
    origin_s: longest((run) => run.originS),
    late_node_s: longest((run) => run.lateNodeS),
    did: runs.at(-1)?.did ?? {},
    missed: judge(runs, calm),
  }
}

/** One process in all runs: the worst of each. */
function processRow(name: string, runs: readonly SiegeRun[]) {
  const facts = runs.flatMap(({ processes }) => processes.filter((each) => each.name === name))
  const most = (pick: (each: ProcessFacts) => number | undefined) =>
    Math.max(0, ...facts.map((each) => pick(each) ?? 0))
  return {
    name,
    ended: facts.filter(({ after }) => after === null).length,
    rss_mb_before: round(
      most(({ before }) => before.rssMb),
      1,
    ),
    rss_mb_peak: round(
      most(({ peak }) => peak.rssMb),
      1,
    ),
    rss_mb_after: round(
      most(({ after }) => after?.rssMb),
      1,
    ),
    descriptors_before: most(({ before }) => before.descriptors),
    descriptors_peak: most(({ peak }) => peak.descriptors),
    descriptors_after: most(({ after }) => after?.descriptors),
    sockets_before: most(({ before }) => before.sockets),
    sockets_peak: most(({ peak }) => peak.sockets),
    sockets_after: most(({ after }) => after?.sockets),
  }
}

const columns = [
  'attack',
  'storm s',
  'share',
  'failed',
  'back s',
  'late node s',
  'agent MB',
  'missed',
] as const

/** The table for people: memory and descriptors of each process at their peaks. */
export function table(result: SiegeResult): string {
  const names = result.calm.processes.map(({ name }) => name)
  const heads = [...columns.slice(0, 4), ...names.map((name) => `${name} MB, fds`), ...columns.slice(4)]
  const rows = [result.calm, ...result.attacks].map((row) => `| ${cells(row, names).join(' | ')} |`)
  return [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...rows].join('\n')
}

function cells(row: Row, names: readonly string[]): string[] {
  const number = (value: number | null, digits: number) => (value === null ? '-' : value.toFixed(digits))
  const processes = names.map((name) => {
    const found = row.processes.find((each) => each.name === name)
    if (found === undefined) return '-'
    return `${found.rss_mb_peak.toFixed(0)}, ${found.descriptors_peak}${found.ended > 0 ? ', ended' : ''}`
  })
  return [
    ...[row.name, number(row.storm_s, 1), number(row.time_share, 2), String(row.failed)],
    ...processes,
    ...[number(row.back_s, 1), number(row.late_node_s, 1), row.agent_rss_mb.toFixed(1)],
    // Of what ended, the JSON has all words.
    row.missed.map(({ must, text }) => `${must}: ${text.split('\n')[0]?.slice(0, 200)}`).join('; '),
  ]
}
