/**
 * What the swarm services offer to the composition root: seeder, tracker, DHT node, LSD.
 * Types only; each service lives in a file of its own and knows none of the others.
 */

import type { FastifyPluginAsync } from 'fastify'
import type { ChildExit } from '../process/child.js'

/** Tells the rack of an address (IPv4 or IPv6 literal, never IPv4-mapped). Must not throw. */
export type RackOf = (address: string) => string

/** One line of a service's log: a stable event name and scalar facts. */
export type SwarmLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  data: Record<string, string | number | boolean>,
) => void

/** A file that the origin seeds. */
export interface SeedTorrent {
  /** BEP 3 infohash, 40 lower-case hex digits. */
  infohash: string
  /** The whole `.torrent` file: one file, BEP 3. */
  torrent: Uint8Array
  /** Where the bytes lie; any name. Must not change while it is seeded. */
  path: string
  sizeBytes: number
  pieceLength: number
  /** Smaller is handed out first; the order of {@link Seeder.add} decides among equals. Default 0. */
  priority?: number
}

/** Counters of one seeded torrent since it was added (they outlast a restart of the process). */
export interface SeedTorrentStats {
  infohash: string
  /** Payload bytes of `piece` messages. */
  uploadedBytes: number
  /** Connections past the handshake. */
  peers: number
  /** Those of them that are agents (docs/protocol.md, `bs`). */
  agents: number
  /** `allowed fast` messages sent to agents: the first of each piece, and the rest. */
  handouts: number
  rescues: number
  /** Pieces that no connected agent has. */
  unheld: number
}

/** What the seeder last reported, at most a second old. */
export interface SeederStats {
  running: boolean
  /** How often the process has died and been started again. */
  restarts: number
  uploadedBytes: number
  peers: number
  /** The longest delay of its event loop in the last second. */
  eventLoopDelayMs: number
  /** Resident memory of the process. */
  residentBytes: number
  torrents: SeedTorrentStats[]
}

/** The origin's BitTorrent seeder, in a process of its own. */
export interface Seeder {
  /** Listens. @throws BootswarmError ADDRESS_IN_USE, SEEDER_FAILED */
  start(): Promise<{ port: number }>
  /** Resolves when it is being seeded; one that is seeded gets its priority anew. @throws BootswarmError SEEDER_FAILED */
  add(torrent: SeedTorrent): Promise<void>
  /** Drops it and its connections; unknown ones are ignored. */
  remove(infohash: string): Promise<void>
  stats(): SeederStats
  /** Ends the process; idempotent. */
  stop(): Promise<void>
  on(event: 'exit', listener: (exit: ChildExit) => void): void
  /** A torrent that was seeded could not be added to the process that took the place of one that died. */
  on(event: 'lost', listener: (infohash: string, error: unknown) => void): void
}

/** Options of `createSeeder` in seeder.ts. */
export interface SeederOptions {
  /** TCP port; 0 takes a free one and keeps it over restarts. */
  port: number
  rackOf: RackOf
  log?: SwarmLog
}

/** Counters of the tracker. */
export interface TrackerStats {
  torrents: number
  peers: number
  announces: number
  refused: number
}

/** An agent that sends its listening port with its request for a manifest. */
export interface AskingNode {
  /** The 20 bytes of its `peer_id` as hex. */
  readonly peerId: string
  /** TCP, 1-65535. */
  readonly port: number
  /** Where its request came from. */
  readonly address: string
}

/** The site's tracker: introduces peers to each other. */
export interface Tracker {
  /** Exactly these infohashes (40 lower-case hex digits) are served from now on; peers of others are forgotten. */
  setTorrents(infohashes: Iterable<string>): void
  stats(): TrackerStats
  /**
   * The first announces of an agent that asks for its manifest: the answers in the order of these infohashes, as one
   * bencoded list (docs/manifest.md).
   */
  introduce(infohashes: readonly string[], node: AskingNode): Uint8Array
  /** The node at this address has begun anew: what it announced before is no more. */
  forget(address: string): void
  /** Routes `GET /announce` and `GET /scrape` for any number of fastify instances. */
  readonly plugin: FastifyPluginAsync
}

/** Options of `createTracker` in tracker.ts. */
export interface TrackerOptions {
  rackOf: RackOf
  /** The seeder's TCP port when it runs; its address is the one the client reached us at, unless given. */
  seeder: () => { port: number; address?: string } | undefined
  /** Few nodes boot, and few are expected to: seeds may announce rarely. Missing: never. */
  isCalm?: () => boolean
  /** Milliseconds of a clock that never goes back (`performance.now()`). */
  nowMs: () => number
  /** 0 <= x < 1. */
  random: () => number
}

/** The site's private DHT bootstrap node (BEP 5), in a process of its own. */
export interface DhtNode {
  /** Listens. @throws BootswarmError ADDRESS_IN_USE, SEEDER_FAILED */
  start(): Promise<{ port: number }>
  /** Names the seeder as a peer of exactly these infohashes. */
  setTorrents(infohashes: Iterable<string>, seederPort: number): void
  /** The seeder's addresses, from now on; a querying node gets the one in its own subnet, else the first. */
  setAddresses(own: readonly { address: string; cidr: string | null }[]): void
  stats(): { running: boolean; restarts: number; nodes: number }
  stop(): Promise<void>
}

/** Options of `createDhtNode` in dht.ts. */
export interface DhtOptions {
  /** UDP port; 0 takes a free one. */
  port: number
  log?: SwarmLog
}

/** Local service discovery (BEP 14): announces the seeder's torrents, answers peers that search for them. */
export interface Lsd {
  start(): Promise<void>
  /** Speaks on the interfaces with these IPv4 addresses, one of each, from now on. */
  setInterfaces(addresses: readonly string[]): void
  setTorrents(infohashes: Iterable<string>, seederPort: number): void
  stats(): { announced: number; received: number; dropped: number }
  stop(): Promise<void>
}

/** Options of `createLsd` in lsd.ts. */
export interface LsdOptions {
  /** UDP port, 6771. */
  port?: number
  nowMs: () => number
  random: () => number
  log?: SwarmLog
}
