/** The HTTP and HTTPS listeners for nodes, and the answers to their routes from all other parts. */
import { totalmem } from 'node:os'
import { makeAnswers } from '../api/answers.js'
import { makeBootAnswers } from '../api/boot-answers.js'
import type { SeedAnswers } from '../api/seed-answers.js'
import { makeStatus, type ServerStatus } from '../api/status.js'
import type { Catalog } from '../catalog/catalog.js'
import { ManifestMaker } from '../catalog/manifest-maker.js'
import { type ClientLimits, clientLimitNumbers, makeClientLimits } from '../http/client-limits.js'
import type { Listener, TlsFiles } from '../http/listener.js'
import { listenForNodes } from '../http/node-listener.js'
import type { HttpServices } from '../http/services.js'
import { StreamSlots } from '../http/stream-slots.js'
import type { Identity } from '../identity/identity.js'
import { openFilesMax } from '../process/descriptors.js'
import type { Logger } from '../process/log.js'
import type { Timeline } from '../timeline/timeline.js'
import { goesFirst } from './goes-first.js'
import type { NetbootSide } from './netboot.js'
import type { Nodes } from './nodes.js'
import type { Common, OpenPorts, Reach } from './parts.js'
import type { PowerSide } from './power.js'
import type { SwarmSide } from './swarm.js'
import type { TicketSide } from './tickets.js'

/** Parts of at most this many bytes hardly load the origin: a tail that a node misses. */
const smallPartBytes = 256 * 1024

/** Two for each of 500 nodes; with fewer a farm boots more slowly. */
const connectionsFew = 1000

/** What the answers come from. */
export interface HttpParts {
  readonly timeline: Timeline
  readonly identity: Identity
  readonly catalog: Catalog
  readonly nodes: Nodes
  readonly tickets: TicketSide
  readonly seeds: SeedAnswers
  readonly swarm: SwarmSide
  readonly netboot: NetbootSide
  readonly power: Pick<PowerSide, 'wakesFor'>
  readonly reach: Reach
  readonly ports: OpenPorts
}

/** The listeners of the running server. */
export interface HttpSide {
  /**
   * Opens both ports.
   *
   * @throws BootswarmError ADDRESS_IN_USE
   */
  start(): Promise<void>
  status(): ServerStatus
  /** What all clients of this process together may hold. */
  readonly limits: ClientLimits
  /** Serves new connections with another certificate. */
  setTls(tls: TlsFiles): void
  stop(): Promise<void>
}

/** Opens nothing before `start`. */
export function makeHttp(common: Common, parts: HttpParts): HttpSide {
  const { config, failures } = common
  const { identity, swarm, netboot, ports } = parts
  const log = common.log.child({ part: 'http' })
  const slots = new StreamSlots(config.origin.streams_max, smallPartBytes, () => swarm.isHandingOut())
  const originBytes = { artifacts: 0, boot: 0 }
  const limits = makeLimits(log)
  const status = makeStatusOf(common, parts, slots, limits, originBytes)
  goesFirst(limits.sendTurns, {
    name: 'seeder',
    isSending: () => swarm.isHandingOut(),
    sentBytes: () => swarm.seederStats().uploadedBytes,
    onStats: (run) => swarm.onSeederStats(run),
  })
  goesFirst(limits.sendTurns, {
    name: 'tftp',
    isSending: () => netboot.programsSent().transfers > 0,
    sentBytes: () => netboot.programsSent().bytes,
    onStats: (run) => netboot.onStats(run),
  })
  const listening = {
    limits,
    failures,
    host: config.bind,
    services: makeServices(common, parts, status, originBytes),
    sending: { slots, nowMs: () => performance.now(), retryAfterMinS: config.origin.retry_after_s },
    plugins: [swarm.trackerPlugin],
    log,
  }
  let https: Listener | undefined
  let http: Listener | undefined
  return {
    start: async () => {
      https = await listenForNodes({ ...listening, port: config.https.port, tls: identity.tls })
      ports.https = https.port
      http = await listenForNodes({ ...listening, port: config.http.port })
      ports.http = http.port
    },
    status,
    limits,
    setTls: (tls) => https?.setTls(tls),
    stop: async () => {
      await Promise.all([http?.close(), https?.close()])
    },
  }
}

/** From what this process may have open, and the memory of the machine or of its control group. */
function makeLimits(log: Logger): ClientLimits {
  const files = openFilesMax()
  const numbers = clientLimitNumbers(files, Math.min(process.constrainedMemory() || totalmem(), totalmem()))
  if (numbers.connectionsMax < connectionsFew) {
    const remedy = 'LimitNOFILE=65536 in the systemd unit, or ulimit -Hn 65536'
    const facts = { event: 'http.few-connections', files, ...numbers, remedy }
    log.warn(facts, `Only ${numbers.connectionsMax} connections at a time: ${remedy}, or more memory`)
  }
  return makeClientLimits(numbers)
}

interface OriginBytes {
  artifacts: number
  boot: number
}

function makeStatusOf(
  { config, failures, nowMs }: Common,
  { catalog, nodes, seeds, swarm, netboot, ports }: HttpParts,
  slots: StreamSlots,
  { connections }: ClientLimits,
  originBytes: OriginBytes,
): () => ServerStatus {
  const startedMs = nowMs()
  return () =>
    makeStatus({
      site: config.site,
      uptimeS: Math.round((nowMs() - startedMs) / 1000),
      nowMs: nowMs(),
      failing: failures.list(),
      catalog,
      nodes: nodes.registry.countByState(),
      largestRack: nodes.registry.largestRack(),
      reports: nodes.reportStats(),
      seeding: seeds.stats(),
      ports: { ...ports },
      streams: slots.active,
      connections: connections.stats(),
      originBytes,
      seeder: swarm.seederStats(),
      tracker: swarm.trackerStats(),
      netboot: netboot.stats(),
    })
}

function makeServices(
  { config, nowMs }: Common,
  { timeline, identity, catalog, nodes, tickets, seeds, swarm, netboot, power, reach, ports }: HttpParts,
  status: () => ServerStatus,
  originBytes: OriginBytes,
): HttpServices {
  return makeAnswers({
    catalog,
    registry: nodes.registry,
    proofs: tickets.proofs,
    maker: new ManifestMaker({ site: config.site, signingKey: identity.signingKey, ports: () => ports }),
    describeBoot: nodes.describeBoot,
    holdOf: nodes.holdOf,
    ticketMode: nodes.ticketMode,
    archSeen: nodes.archSeen,
    reachedAt: reach.at,
    httpPort: () => ports.http,
    introduce: swarm.introduce,
    forget: swarm.forget,
    status,
    seedS: (node) => seeds.seedS(node),
    wakesFor: power.wakesFor,
    admitReport: (node, address, bytes) => nodes.admitReport(node, address, bytes),
    unverifiedReceived: (node, address, failure) => nodes.unverifiedReports.received(node, address, failure),
    netboot: makeBootAnswers({
      log: netboot.log,
      fact: (fact) => timeline.machine(fact),
      admission: netboot.admission,
      program: netboot.program,
      currentVersion: () => catalog.live.current,
      describe: nodes.describe,
      describeOnce: nodes.describeOnce,
      nextBoots: nodes.nextBoots,
      holdOf: nodes.holdOf,
      archSeen: nodes.archSeen,
      tickets: tickets.tickets,
      reachedAt: reach.at,
      nowMs: () => performance.now(),
      wallMs: nowMs,
      ports: () => ports,
    }),
    bytesServed: (bytes, isBoot) => {
      originBytes[isBoot ? 'boot' : 'artifacts'] += bytes
    },
    nowMs,
  })
}
