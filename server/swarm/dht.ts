/**
 * The site's private DHT bootstrap node (BEP 5) as the daemon sees it: a process of its own, so that
 * neither a hostile packet nor a flood reaches the daemon or the seeder.
 */

import { EventEmitter } from 'node:events'
import { BootswarmError } from '../../src/errors.js'
import { Child, type ChildExit, exitFacts } from '../process/child.js'
import { ChildStart } from '../process/child-start.js'
import type { FromDht, OwnAddress, ToDht } from './dht-messages.js'
import type { SwarmLog } from './swarm-log.js'

/** The site's private DHT bootstrap node (BEP 5), in a process of its own. */
export interface DhtNode {
  /** Listens. @throws BootswarmError ADDRESS_IN_USE, SEEDER_FAILED */
  start(): Promise<{ port: number }>
  /** Names the seeder as a peer of exactly these infohashes. */
  setTorrents(infohashes: Iterable<string>, seederPort: number): void
  /** The seeder's addresses, from now on; a querying node gets the one in its own subnet, else the first. */
  setAddresses(own: readonly OwnAddress[]): void
  stats(): { running: boolean; restarts: number; nodes: number }
  stop(): Promise<void>
  /** The process has ended, and is started again. */
  on(event: 'exit', listener: (exit: ChildExit) => void): void
  /** A process listens: the first, or one that took the place of another. */
  on(event: 'listening', listener: () => void): void
}

/** Options of `createDhtNode`. */
export interface DhtOptions {
  /** UDP port; 0 takes a free one. */
  port: number
  log?: SwarmLog
}

/** Makes the node; nothing runs before `start`. */
export function createDhtNode(options: DhtOptions): DhtNode & { readonly pid: number | undefined } {
  return new DhtParent(options)
}

class DhtParent implements DhtNode {
  readonly #options: DhtOptions
  readonly #child: Child<ToDht, FromDht>
  #port: number
  #nodes = 0
  #running = false
  #addresses: Extract<ToDht, { type: 'addresses' }> = { type: 'addresses', own: [] }
  #torrents: Extract<ToDht, { type: 'torrents' }> = { type: 'torrents', infohashes: [], seederPort: 0 }
  readonly #starting = new ChildStart()
  readonly #events = new EventEmitter()

  constructor(options: DhtOptions) {
    this.#options = options
    this.#port = options.port
    this.#child = new Child(new URL('./dht-process.js', import.meta.url), {
      started: () => {
        this.#child.send({ type: 'start', port: this.#port })
        this.#child.send(this.#addresses)
        this.#child.send(this.#torrents)
      },
      message: (message) => this.#message(message),
      exited: (exit) => {
        this.#running = false
        this.#nodes = 0
        options.log?.('error', 'dht.exited', exitFacts(exit))
        this.#events.emit('exit', exit)
      },
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  async start(): Promise<{ port: number }> {
    const silent = new BootswarmError('SEEDER_FAILED', 'no answer from the DHT process')
    await this.#starting.run(this.#child, silent)
    return { port: this.#port }
  }

  setTorrents(infohashes: Iterable<string>, seederPort: number): void {
    this.#torrents = { type: 'torrents', infohashes: [...infohashes], seederPort }
    this.#child.send(this.#torrents)
  }

  setAddresses(own: readonly OwnAddress[]): void {
    this.#addresses = { type: 'addresses', own: [...own] }
    this.#child.send(this.#addresses)
  }

  stats(): { running: boolean; restarts: number; nodes: number } {
    return { running: this.#running, restarts: this.#child.restarts, nodes: this.#nodes }
  }

  async stop(): Promise<void> {
    await this.#child.stop()
    this.#running = false
  }

  on(event: 'exit', listener: (exit: ChildExit) => void): void
  on(event: 'listening', listener: () => void): void
  on(event: string, listener: (...args: never[]) => void): void {
    this.#events.on(event, listener as (...args: unknown[]) => void)
  }

  #message(message: FromDht): void {
    switch (message.type) {
      case 'listening':
        this.#port = message.port
        this.#running = true
        this.#starting.succeeded()
        this.#events.emit('listening')
        break
      case 'failed':
        this.#options.log?.('error', 'dht.failed', { message: message.message })
        this.#starting.failed(
          new BootswarmError(message.inUse ? 'ADDRESS_IN_USE' : 'SEEDER_FAILED', message.message),
        )
        break
      case 'stats':
        this.#nodes = message.nodes
        break
    }
  }
}
