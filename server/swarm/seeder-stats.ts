/** The seeder's counters, as its process reports them. */

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

/** What the seeder last reported, at most a second old; some 100 ms usually: the others yield to what it hands out. */
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
