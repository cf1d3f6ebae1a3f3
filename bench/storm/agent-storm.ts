/** The agents' storm, from its start to the last figure. */
import { loadavg } from 'node:os'
import { type AgentStorm, measureAgents, startAgents } from './agents.js'
import { arrivalTimes } from './arrivals.js'
import { backlogDrops } from './backlog.js'
import { scheduleFaults } from './faults.js'
import type { Live } from './live.js'
import { seeded } from './random.js'
import { agentFigures, IDLE_SHARE_LEAST, round } from './result.js'
import { cpuTimes, idleShare, type Sample, startSampler } from './sampler.js'
import type { StormSite } from './storm-site.js'
import type { Undo } from './undo.js'

/** The agents' storm. */
export async function stormOfAgents(site: StormSite, agent: string, undo: Undo, live: Live) {
  const { options, plan, network, server, payload } = site
  const random = seeded(options.seed + 1)
  const starts = arrivalTimes(options, site.floorS, payload.bytes)
  const storm: AgentStorm = await startAgents(plan, {
    agent,
    trustDir: server.trustDir,
    directory: site.directory,
    discovery: options.discovery,
    startS: (index) => starts[index] ?? 0,
    onBooted: (boot) => live.booted(boot),
  })
  undo.add(() => storm.fleet.end())
  const faults = await scheduleFaults(site, storm, random, undo)
  const load = loadavg()[0] ?? 0
  const shapedBefore = network.shapedBytes()
  const originBefore = await server.status()
  const lostBefore = backlogDrops()
  live.begin(storm.boots, site)
  const cpuBefore = cpuTimes()
  const serverCpu = server.cost().cpuSeconds
  storm.fleet.open()
  const sampler = startSampler(network, plan, (sample) => live.sample(sample, storm.boots))
  faults.begin()
  const lastStartS = Math.max(0, ...starts)
  const timeoutS =
    (options.timeoutS || Math.max(60, site.floorS * (options.slowShare > 0 ? 30 : 8))) + lastStartS
  const timer = { id: undefined as NodeJS.Timeout | undefined }
  const timeout = new Promise<void>((resolve) => {
    timer.id = setTimeout(resolve, timeoutS * 1000)
  })
  await Promise.race([storm.finished, timeout])
  clearTimeout(timer.id)
  const cpuAfter = cpuTimes()
  const shaped = network.shapedBytes()
  const lost = backlogDrops() - lostBefore
  sampler.stop()
  faults.end()
  const spent = measureAgents(storm)
  const shapedDelta = (port: string) => (shaped.get(port)?.bytes ?? 0) - (shapedBefore.get(port)?.bytes ?? 0)
  const idle = idleShare(cpuBefore, cpuAfter)
  const status = await server.status().catch(() => undefined)
  const facts = {
    boots: storm.boots,
    payloadBytes: payload.bytes,
    floorS: site.floorS,
    samples: sampler.samples,
    // What the server sent arrives at the site without a bucket of ours: counted where it enters.
    serverBytes: last(sampler.samples)?.serverTxBytes ?? 0,
    uplinks: plan.racks
      .filter((rack) => rack.corePort !== '')
      .map((rack) => ({ inBytes: shapedDelta(rack.corePort), outBytes: shapedDelta(rack.rackPort) })),
  }
  const drops = [...shaped].reduce(
    (sum, [port, { drops: n }]) => sum + n - (shapedBefore.get(port)?.drops ?? 0),
    0,
  )
  const agents = agentFigures(facts)
  const figures = {
    ...agents,
    server_https_copies: copiesOf(status?.httpsBytes, originBefore.httpsBytes, payload.bytes),
    server_bittorrent_copies: copiesOf(status?.bittorrentBytes, originBefore.bittorrentBytes, payload.bytes),
    cpu_idle_share: round(idle, 4),
    cpu_steal_share: round(
      (cpuAfter.steal - cpuBefore.steal) / Math.max(1, cpuAfter.total - cpuBefore.total),
      4,
    ),
    cpu_server_s: Math.max(0, round(server.cost().cpuSeconds - serverCpu, 2)),
    cpu_agents_s: round(spent.cpuSeconds, 2),
    tcp_retransmits: spent.retransmits,
    load_before: round(load, 2),
    switch_drops: drops,
    host_drops: lost,
    valid: (options.slowShare > 0 ? agents.healthy.cpu_idle_share : idle) >= IDLE_SHARE_LEAST,
  }
  await storm.fleet.end()
  live.end()
  return { facts, figures, liars: faults.liars() }
}

function last(samples: readonly Sample[]): Sample | undefined {
  return samples[samples.length - 1]
}

function copiesOf(after: number | undefined, before: number, payloadBytes: number): number | null {
  return after === undefined ? null : round((after - before) / payloadBytes, 3)
}
