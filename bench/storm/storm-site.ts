/** Where a storm's contestants run: network, payload and server. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { widenBacklog } from './backlog.js'
import { checkLink } from './check.js'
import { buildNetwork, checkSupport, type Network, removeLeftovers } from './network.js'
import { makePayload, type StormPayload } from './payload.js'
import { BRIDGE_PORTS_MAX, makePlan, type Plan, type PlanInput } from './plan.js'
import { pick, seeded } from './random.js'
import { type StormServer, startServer } from './server.js'
import { floorS, goodputBytes, shapeOf } from './shaping.js'
import type { StormOptions } from './storm-options.js'
import type { Undo } from './undo.js'

/** What a site is made from. */
export type SiteOptions = Pick<
  StormOptions,
  | 'nodes'
  | 'rackSize'
  | 'racks'
  | 'topology'
  | 'linkMbit'
  | 'payloadBytes'
  | 'format'
  | 'slowShare'
  | 'corrupt'
  | 'seed'
  | 'directory'
> &
  Pick<PlanInput, 'others'>

/** A site without its server. */
export interface Site {
  readonly plan: Plan
  readonly network: Network
  readonly payload: StormPayload
  readonly directory: string
  readonly floorS: number
  /** What one link carries, payload bytes a second. */
  readonly linkMeasured: number
}

/** What all contestants of a run share. */
export interface StormSite extends Site {
  readonly options: StormOptions
  readonly server: StormServer
}

/**
 * Builds the site, checks a link and starts the server.
 * @throws {BootswarmError} STORM_UNSUPPORTED, STORM_FAILED
 */
export async function buildStormSite(
  options: StormOptions,
  undo: Undo,
  say: (line: string) => void,
): Promise<StormSite> {
  const site = await buildSite(options, undo, say)
  const server = await startServer(site.directory, site.plan)
  undo.add(() => server.kill())
  return { ...site, options, server }
}

/**
 * Builds network and payload, and checks a link.
 * @throws {BootswarmError} STORM_UNSUPPORTED, STORM_FAILED
 */
export async function buildSite(
  options: SiteOptions,
  undo: Undo,
  say: (line: string) => void,
): Promise<Site> {
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
    racks: options.racks,
    isFlat: options.rackSize === 0,
    liars: options.corrupt,
    ...(options.others === undefined ? {} : { others: options.others }),
    isSlow: (index) => slow.has(index),
  })
  const payload = makePayload(directory, options.payloadBytes, options.seed, options.format)
  const network = await buildNetwork(plan, shapeOf(options.linkMbit), shapeOf(options.linkMbit / 10))
  undo.add(() => network.remove())
  const rackText =
    options.topology ||
    (options.rackSize === 0 ? 'flat' : `${plan.racks.length} racks of ${options.rackSize}`)
  say(`site: ${options.nodes} nodes, ${rackText}, links of ${options.linkMbit} Mbit/s both ways`)
  const linkMeasured = await checkLink(
    plan,
    options.linkMbit,
    Math.min(10, Math.max(2.5, 20 / options.linkMbit)),
  )
  const share = ((100 * linkMeasured) / goodputBytes(options.linkMbit)).toFixed(1)
  say(`one link carries ${(linkMeasured / 1e6).toFixed(3)} MB/s of payload, ${share} % of what was computed`)
  const floor = floorS(payload.bytes, options.linkMbit)
  say(`payload ${(payload.bytes / 1e6).toFixed(2)} MB, floor ${floor.toFixed(2)} s`)
  return { plan, network, payload, directory, floorS: floor, linkMeasured }
}

/** Memory for the worst moment: every node has the payload, and the root that it unpacked. */
function checkSize(options: SiteOptions): void {
  const ports = options.rackSize === 0 ? options.nodes + options.corrupt + (options.others?.count ?? 0) : 0
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
