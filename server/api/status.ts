/** The JSON of `/v1/status` (docs/protocol.md). */
import { STATUS_PASSED_OVER_MAX } from '../../src/limits.js'
import type { Catalog } from '../catalog/catalog.js'
import { displayPath } from '../catalog/scan.js'
import type { ConnectionStats } from '../http/connections.js'
import { unusedBootFiles } from '../netboot/boot-files.js'
import type { QueueStats } from '../netboot/boot-queue.js'
import type { NetbootStats } from '../netboot/netboot.js'
import type { ProgramStats } from '../netboot/program-store.js'
import type { NodeState } from '../nodes/state.js'
import type { PartFailure } from '../process/failures.js'
import type { Ports } from '../process/ports-file.js'
import type { SeederStats } from '../swarm/seeder-stats.js'
import type { TrackerStats } from '../swarm/tracker.js'
import type { SeedStats } from './seed-answers.js'

/** What the status is made from. */
export interface StatusSource {
  readonly site: string
  readonly uptimeS: number
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number
  readonly failing: readonly PartFailure[]
  readonly catalog: Pick<Catalog, 'live' | 'passedOver' | 'problems' | 'progress'>
  readonly nodes: Readonly<Record<NodeState, number>>
  readonly largestRack: { readonly name: string; readonly nodes: number } | undefined
  readonly reports: { readonly waiting: number; readonly refused: number }
  readonly seeding: SeedStats
  readonly ports: Ports
  /** Streams of artifacts over HTTPS that run now. */
  readonly streams: number
  readonly connections: ConnectionStats
  readonly originBytes: { readonly artifacts: number; readonly boot: number }
  readonly seeder: SeederStats
  readonly tracker: TrackerStats
  readonly netboot: NetbootStats & { readonly programs: ProgramStats; readonly queue: QueueStats }
}

/** One artifact of the current version. */
export interface StatusArtifact {
  readonly kind: string
  readonly name: string
  readonly format: string
  readonly size_bytes: number
  readonly sha256: string
  /** Empty for boot files. */
  readonly infohash: string
}

/** The state of the server, as machines read it. Byte counts since its start. */
export interface ServerStatus {
  readonly site: string
  readonly uptime_s: number
  /** Parts whose last work failed; they try again. `for_s`: since the first failure in a row. */
  readonly failing: readonly {
    readonly part: string
    readonly code: string
    readonly message: string
    readonly times: number
    readonly for_s: number
  }[]
  /** 0 before the first. */
  readonly version: number
  /** All that are still served. */
  readonly versions: readonly number[]
  readonly artifacts: readonly StatusArtifact[]
  readonly problems: readonly { readonly code: string; readonly file: string; readonly message: string }[]
  /** Kernels and stage 1 that no machine gets, and files that are no artifacts by their names; the first of them. */
  readonly passed_over: readonly { readonly file: string; readonly reason: string }[]
  /** The file that is being read; empty if none. */
  readonly hashing: { readonly file: string; readonly percent: number }
  readonly nodes: Readonly<Record<NodeState, number>>
  /** The rack with most nodes that have booted or are named; null: none. */
  readonly largest_rack: { readonly name: string; readonly nodes: number } | null
  /** Reports of nodes: events that wait for the database, and reports that were refused. */
  readonly reports: { readonly waiting: number; readonly refused: number }
  /** Booted nodes that give to others, and when the rest are told to end: 0 now, null never. */
  readonly seeding: { readonly nodes: number; readonly calm_in_s: number | null }
  readonly origin: {
    readonly https_bytes: number
    readonly boot_bytes: number
    readonly bittorrent_bytes: number
    readonly streams: number
    readonly seeder_running: boolean
    readonly seeder_restarts: number
  }
  /** Of HTTP and HTTPS clients. */
  readonly connections: ConnectionStats
  readonly tracker: { readonly peers: number; readonly announces: number }
  /** Counters of DHCP and TFTP by service; none while it is off. */
  readonly netboot: {
    readonly mode: NetbootStats['mode']
    readonly running: boolean
    readonly restarts: number
    /** Other DHCP servers that machines took addresses from. */
    readonly dhcp_servers: readonly string[]
    readonly services: NetbootStats['services']
    /** Boot programs that were found, those that PCs need and are not there, and what installs them. */
    readonly programs: ProgramStats
    /** Who loads kernel and stage 1, and how many wait. */
    readonly queue: Omit<QueueStats, 'longestWaitS'> & { readonly longest_wait_s: number }
  }
  readonly ports: Ports
}

/** Puts the status together. */
export function makeStatus(source: StatusSource): ServerStatus {
  const { catalog, seeder } = source
  const { live, progress } = catalog
  return {
    site: source.site,
    uptime_s: source.uptimeS,
    failing: source.failing.map(({ sinceMs, ...failure }) => ({
      ...failure,
      for_s: Math.max(0, Math.round((source.nowMs - sinceMs) / 1000)),
    })),
    version: live.current?.version ?? 0,
    versions: live.all.map(({ version }) => version),
    artifacts: (live.current?.artifacts ?? []).map(({ kind, name, format, sizeBytes, sha256, torrent }) => ({
      kind,
      name,
      format,
      size_bytes: sizeBytes,
      sha256,
      infohash: torrent?.infohash ?? '',
    })),
    problems: catalog.problems.map((problem) => ({
      code: problem.code,
      file: displayPath(problem),
      message: problem.message,
    })),
    passed_over: passedOver(catalog),
    hashing: { file: progress?.file ?? '', percent: Math.floor((progress?.done ?? 0) * 100) },
    nodes: source.nodes,
    largest_rack: source.largestRack ?? null,
    reports: source.reports,
    seeding: { nodes: source.seeding.nodes, calm_in_s: source.seeding.calmInS },
    origin: {
      https_bytes: source.originBytes.artifacts,
      boot_bytes: source.originBytes.boot,
      bittorrent_bytes: seeder.uploadedBytes,
      streams: source.streams,
      seeder_running: seeder.running,
      seeder_restarts: seeder.restarts,
    },
    connections: source.connections,
    tracker: { peers: source.tracker.peers, announces: source.tracker.announces },
    netboot: netbootStatus(source.netboot),
    ports: source.ports,
  }
}

function passedOver({ live, passedOver }: StatusSource['catalog']): ServerStatus['passed_over'] {
  const boot = live.current?.artifacts.filter(({ kind }) => kind === 'boot') ?? []
  return [
    ...unusedBootFiles(boot).map(({ file, reason }) => ({ file: displayPath(file), reason })),
    ...passedOver.map((file) => ({ file: displayPath(file), reason: `by its name it is ${file.what}` })),
  ].slice(0, STATUS_PASSED_OVER_MAX)
}

function netbootStatus({ otherServers, queue, ...rest }: StatusSource['netboot']): ServerStatus['netboot'] {
  const { longestWaitS, ...counts } = queue
  return { ...rest, queue: { ...counts, longest_wait_s: longestWaitS }, dhcp_servers: otherServers }
}
