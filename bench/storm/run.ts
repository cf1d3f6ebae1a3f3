/** One storm from the first namespace to the last figure. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { type AgentStorm, measureAgents, startAgents } from './agents.js'
import { arrivalTimes } from './arrivals.js'
import { backlogDrops, widenBacklog } from './backlog.js'
import { checkLink } from './check.js'
import { scheduleFaults } from './faults.js'
import type { Live } from './live.js'
import { buildNetwork, checkSupport, type Network, removeLeftovers } from './network.js'
import type { StormOptions } from './options.js'
import { BRIDGE_PORTS_MAX, makePlan, type Plan } from './plan.js'
import { pick, seeded } from './random.js'
import { agentFigures, IDLE_SHARE_LEAST, round } from './result.js'
import { cpuTimes, idleShare, type Sample, startSampler } from './sampler.js'
import { floorS, goodputBytes, shapeOf } from './shaping.js'
import { makePayload, type StormPayload, type StormServer, startServer } from './site.js'

/** What all contestants of a run share. */
export interface StormSite {
  readonly options: StormOptions
  readonly plan: Plan
  readonly network: Network
  readonly server: StormServer
  readonly payload: StormPayload
  readonly directory: string
  readonly floorS: number
}

/** Things to undo, latest first, also when the bench is interrupted. */
export class Undo {
  private readonly steps: (() => Promise<void> | void)[] = []

  add(step: () => Promise<void> | void): void {
    this.steps.push(step)
  }

  async all(): Promise<void> {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) await step()
  }
}

/**
 * Builds the site, checks a link and starts the server.
 * @throws {BootswarmError} STORM_UNSUPPORTED, STORM_FAILED
 */
export async function buildSite(
  options: StormOptions,
  undo: Undo,
  say: (line: string) => void,
): Promise<StormSite & { linkMeasured: number }> {
  removeLeftovers()
  checkSupport()
  checkSize(options)
  undo.add(widenBacklog())
  const directory = mkdtempSync(join(options.directory, `bwstorm-${process.pid}-`))
  undo.add(() => rmSync(directory, { recursive: true, force: true }))
  const random = seeded(options.seed)
  const indices = Array.from({ length: options.nodes }, (_, index) => index)
  const slow = new Set(pick(indices, Math.round(options.slowShare * options.nodes), random))
  const plan = makePlan({
    runId: `${process.pid}`,
    nodes: options.nodes,
    rackSize: options.rackSize,
    liars: options.corrupt,
    isSlow: (index) => slow.has(index),
  })
  const payload = makePayload(directory, options.payloadBytes, options.seed, options.format)
  const network = await buildNetwork(plan, shapeOf(options.linkMbit), shapeOf(options.linkMbit / 10))
  undo.add(() => network.remove())
  const rackText = options.rackSize === 0 ? 'flat' : `${plan.racks.length} racks of ${options.rackSize}`
  say(`site: ${options.nodes} nodes, ${rackText}, links of ${options.linkMbit} Mbit/s both ways`)
  const linkMeasured = await checkLink(
    plan,
    options.linkMbit,
    Math.min(10, Math.max(2.5, 20 / options.linkMbit)),
  )
  const share = ((100 * linkMeasured) / goodputBytes(options.linkMbit)).toFixed(1)
  say(`one link carries ${(linkMeasured / 1e6).toFixed(3)} MB/s of payload, ${share} % of what was computed`)
  const server = await startServer(directory, plan)
  undo.add(() => server.kill())
  const floor = floorS(payload.bytes, options.linkMbit)
  say(`payload ${(payload.bytes / 1e6).toFixed(2)} MB, floor ${floor.toFixed(2)} s`)
  return { options, plan, network, server, payload, directory, floorS: floor, linkMeasured }
}

/** Memory for the worst moment: every node has the payload, and the root that it unpacked. */
function checkSize(options: StormOptions): void {
  const ports = options.rackSize === 0 ? options.nodes + options.corrupt : 0
  if (ports >= BRIDGE_PORTS_MAX) {
    throw new BootswarmError('STORM_UNSUPPORTED', `a Linux bridge has no more than ${BRIDGE_PORTS_MAX} ports`)
  }
  const needed = options.nodes * ((options.format === 'tar' ? 2 : 1) * options.payloadBytes + 8e6) + 1e9
  const match = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  const available = Number(match?.[1] ?? 0) * 1024
  if (available < needed) {
    const text = `${(needed / 1e9).toFixed(1)} GB of memory are needed, ${(available / 1e9).toFixed(1)} GB are free`
    throw new BootswarmError('STORM_UNSUPPORTED', `${text}; fewer nodes or a smaller payload fit`)
  }
}

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
    racksInBytes: plan.racks.filter((rack) => rack.corePort !== '').map((rack) => shapedDelta(rack.corePort)),
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
