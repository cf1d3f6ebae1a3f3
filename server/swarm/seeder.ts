/**
 * The origin's seeder as the daemon sees it: a child process that is started again when it dies, with
 * all its torrents. No payload passes through the daemon.
 */

import { EventEmitter } from 'node:events'
import { BootswarmError } from '../../src/errors.js'
import { flatTree, type RackTree, racksAbove } from '../../src/rack-tree.js'
import type { RackOfAddress } from '../../src/racks.js'
import { Child, type ChildExit, exitFacts } from '../process/child.js'
import { ChildStart } from '../process/child-start.js'
import type { FromSeeder, RackPlace, ToSeeder } from './seeder-messages.js'
import type { SeederStats, SeedTorrentStats } from './seeder-stats.js'
import type { SwarmLog } from './swarm-log.js'

/** How long a process may take to add or drop a torrent. */
const answerMs = 20_000

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

/** The origin's BitTorrent seeder, in a process of its own. */
export interface Seeder {
  /** Listens. @throws BootswarmError ADDRESS_IN_USE, SEEDER_FAILED */
  start(): Promise<{ port: number }>
  /** Resolves when it is being seeded; one that is seeded gets its priority anew. @throws BootswarmError SEEDER_FAILED */
  add(torrent: SeedTorrent): Promise<void>
  /** Drops it and its connections; unknown ones are ignored. */
  remove(infohash: string): Promise<void>
  /** The answers of `rackOf` and `rackTree` may be others from now on. */
  racksChanged(): void
  stats(): SeederStats
  /** Ends the process; idempotent. */
  stop(): Promise<void>
  /** The process has ended, and is started again. */
  on(event: 'exit', listener: (exit: ChildExit) => void): void
  /** A process listens: the first, or one that took the place of another; or it has told its counters, some ten times a second. */
  on(event: 'listening' | 'stats', listener: () => void): void
  /** A torrent that was seeded could not be added to the process that took the place of one that died. */
  on(event: 'lost', listener: (infohash: string, error: unknown) => void): void
}

/** Options of `createSeeder`. */
export interface SeederOptions {
  /** TCP port; 0 takes a free one and keeps it over restarts. */
  port: number
  rackOf: RackOfAddress
  /** How the racks' switches hang together now. Missing: all at the server's. */
  rackTree?: () => RackTree
  log?: SwarmLog
}

interface Waiter {
  resolve(): void
  reject(error: Error): void
}

/** Makes the seeder; nothing runs before `start`. */
export function createSeeder(options: SeederOptions): Seeder & { readonly pid: number | undefined } {
  return new SeederParent(options)
}

class SeederParent implements Seeder {
  readonly #options: SeederOptions
  readonly #events = new EventEmitter()
  readonly #child: Child<ToSeeder, FromSeeder>
  readonly #torrents = new Map<string, SeedTorrent>()
  readonly #waiters = new Map<string, Waiter[]>()
  /** Counters of processes that have died. */
  readonly #before = new Map<string, { uploadedBytes: number; handouts: number; rescues: number }>()
  #beforeBytes = 0
  #stats: SeederStats
  #port: number
  #started = false
  readonly #starting = new ChildStart()

  constructor(options: SeederOptions) {
    this.#options = options
    this.#port = options.port
    this.#stats = emptyStats()
    this.#child = new Child(new URL('./seeder-process.js', import.meta.url), {
      started: () => this.#child.send({ type: 'start', port: this.#port }),
      message: (message) => this.#message(message),
      exited: (exit) => this.#exited(exit),
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  async start(): Promise<{ port: number }> {
    await this.#starting.run(this.#child, failure('no answer from the seeder process'))
    this.#started = true
    return { port: this.#port }
  }

  async add(torrent: SeedTorrent): Promise<void> {
    this.#torrents.set(torrent.infohash, torrent)
    const added = this.#wait(`added ${torrent.infohash}`)
    this.#sendAdd(torrent)
    try {
      await added
    } catch (error) {
      if (this.#torrents.get(torrent.infohash) === torrent) this.#torrents.delete(torrent.infohash)
      throw error
    }
  }

  async remove(infohash: string): Promise<void> {
    if (!this.#torrents.delete(infohash)) return
    this.#before.delete(infohash)
    if (!this.#stats.running) return
    const removed = this.#wait(`removed ${infohash}`)
    this.#child.send({ type: 'remove', infohash })
    // If the process dies instead it is gone, too: the next one is not told of it.
    await removed.catch(() => {})
  }

  racksChanged(): void {
    this.#child.send({ type: 'racksChanged' })
  }

  stats(): SeederStats {
    const torrents = this.#stats.torrents.map((torrent) => this.#withBefore(torrent))
    const uploadedBytes = this.#beforeBytes + this.#stats.uploadedBytes
    return { ...this.#stats, restarts: this.#child.restarts, uploadedBytes, torrents }
  }

  async stop(): Promise<void> {
    this.#started = false
    this.#starting.failed(failure('the seeder was stopped'))
    await this.#child.stop()
    this.#stats = { ...this.#stats, running: false }
    for (const key of [...this.#waiters.keys()]) this.#settle(key, 'the seeder was stopped')
  }

  on(event: 'exit', listener: (exit: ChildExit) => void): void
  on(event: 'listening' | 'stats', listener: () => void): void
  on(event: 'lost', listener: (infohash: string, error: unknown) => void): void
  on(event: string, listener: (...args: never[]) => void): void {
    this.#events.on(event, listener as (...args: unknown[]) => void)
  }

  /** A new process knows no torrents. */
  #addAgain(): void {
    for (const torrent of this.#torrents.values()) {
      this.add(torrent).catch((error: unknown) => this.#events.emit('lost', torrent.infohash, error))
    }
  }

  #sendAdd(torrent: SeedTorrent): void {
    const { infohash, path, sizeBytes, pieceLength, priority = 0 } = torrent
    this.#child.send({
      type: 'add',
      infohash,
      torrent: torrent.torrent,
      path,
      sizeBytes,
      pieceLength,
      priority,
    })
  }

  #message(message: FromSeeder): void {
    switch (message.type) {
      case 'listening':
        this.#port = message.port
        this.#stats = { ...this.#stats, running: true }
        if (this.#started) this.#addAgain()
        this.#events.emit('listening')
        this.#starting.succeeded()
        break
      case 'failed':
        this.#log('error', 'seeder.failed', { message: message.message })
        this.#starting.failed(
          new BootswarmError(message.inUse ? 'ADDRESS_IN_USE' : 'SEEDER_FAILED', message.message),
        )
        break
      case 'added':
        this.#settle(`added ${message.infohash}`, message.error)
        break
      case 'removed':
        this.#settle(`removed ${message.infohash}`)
        break
      case 'rackWanted': {
        const { address } = message
        this.#child.send({ type: 'rack', address, place: this.#placeOf(address) })
        break
      }
      case 'log':
        this.#log(message.level, message.event, message.data)
        break
      case 'stats':
        this.#stats = { ...message.stats, running: true, restarts: this.#child.restarts }
        this.#events.emit('stats')
        break
    }
  }

  #placeOf(address: string): RackPlace {
    const rack = this.#options.rackOf(address)
    return { rack, depth: racksAbove(this.#options.rackTree?.() ?? flatTree, rack).length }
  }

  #exited(exit: ChildExit): void {
    for (const torrent of this.#stats.torrents) {
      const { uploadedBytes, handouts, rescues } = this.#withBefore(torrent)
      if (this.#torrents.has(torrent.infohash))
        this.#before.set(torrent.infohash, { uploadedBytes, handouts, rescues })
    }
    this.#beforeBytes += this.#stats.uploadedBytes
    this.#stats = emptyStats()
    this.#log('error', 'seeder.exited', exitFacts(exit))
    this.#events.emit('exit', exit)
  }

  #withBefore(torrent: SeedTorrentStats): SeedTorrentStats {
    const before = this.#before.get(torrent.infohash)
    if (before === undefined) return torrent
    return {
      ...torrent,
      uploadedBytes: torrent.uploadedBytes + before.uploadedBytes,
      handouts: torrent.handouts + before.handouts,
      rescues: torrent.rescues + before.rescues,
    }
  }

  #wait(key: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(key, 'no answer from the seeder process'), answerMs)
      const waiter = {
        resolve: () => {
          clearTimeout(timer)
          resolve()
        },
        reject: (error: Error) => {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.#waiters.set(key, [...(this.#waiters.get(key) ?? []), waiter])
    })
  }

  #settle(key: string, error?: string): void {
    const waiters = this.#waiters.get(key) ?? []
    this.#waiters.delete(key)
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve()
      else waiter.reject(failure(error))
    }
  }

  #log(level: 'warn' | 'error', event: string, data: Record<string, string | number>): void {
    this.#options.log?.(level, event, data)
  }
}

function failure(message: string): BootswarmError {
  return new BootswarmError('SEEDER_FAILED', message)
}

function emptyStats(): SeederStats {
  return {
    running: false,
    restarts: 0,
    uploadedBytes: 0,
    peers: 0,
    eventLoopDelayMs: 0,
    residentBytes: 0,
    torrents: [],
  }
}
