/** Messages between the daemon and its seeder process. */

import type { SeederStats } from './seeder-stats.js'

/** Where an address is. */
export interface RackPlace {
  readonly rack: string
  /** Racks between it and the server. */
  readonly depth: number
}

export type ToSeeder =
  | { type: 'start'; port: number }
  | {
      type: 'add'
      infohash: string
      torrent: Uint8Array
      path: string
      sizeBytes: number
      pieceLength: number
      priority: number
    }
  | { type: 'remove'; infohash: string }
  | { type: 'rack'; address: string; place: RackPlace }
  | { type: 'racksChanged' }

export type FromSeeder =
  | { type: 'listening'; port: number }
  | { type: 'failed'; inUse: boolean; message: string }
  | { type: 'added'; infohash: string; error?: string }
  | { type: 'removed'; infohash: string }
  | { type: 'rackWanted'; address: string }
  | { type: 'log'; level: 'warn' | 'error'; event: string; data: Record<string, string | number> }
  | { type: 'stats'; stats: Omit<SeederStats, 'running' | 'restarts'> }

/** Callbacks from the core to its process. */
export interface CoreHooks {
  rackWanted(address: string): void
  log(level: 'warn' | 'error', event: string, data: Record<string, string | number>): void
  /** The port cannot be listened at, or webtorrent gave up: the process ends. */
  failed(inUse: boolean, message: string): void
}
