/**
 * Accepts the seeder's connections: as many as there are descriptors for ({@link ConnectionTable} says which give way), and
 * webtorrent gets a connection when as much as a handshake has arrived, so that a silent one costs a socket and no more.
 */

import type { Server, Socket } from 'node:net'
import { AddressQueues } from '../../src/address-queues.js'
import { addressOwner } from '../../src/net.js'
import { isOutOfDescriptors } from '../process/descriptors.js'
import type { ConnectionTable } from './connections.js'
import { HandOverPace } from './hand-over-pace.js'

/** Bytes of a BitTorrent handshake (BEP 3). The first message of an encrypted connection is longer. */
const handshakeBytes = 68
/** From the connection to the end of the handshake; webtorrent allows 25 s from the first bytes on. */
const handshakeMs = 25_000
const probeEveryMs = 1_000
/** What {@link Incoming} calls. */
export interface IncomingHooks {
  /** Takes the connection over; what has arrived can be read from it. */
  handOver(conn: Socket): void
  /** No room, or none that could be made: the connection was refused or took another one's place. */
  crowded(connections: number): void
  /** The system lacks descriptors or memory for connections; so many are held from now on. */
  short(reason: string, connectionsMax: number): void
}

/** The connections of one listening socket. */
export class Incoming {
  readonly #table: ConnectionTable
  readonly #hooks: IncomingHooks
  readonly #sockets = new Map<number, Socket>()
  readonly #ids = new WeakMap<Socket, number>()
  /** Those that have sent as much as a handshake. */
  readonly #ready = new AddressQueues<Socket>()
  readonly #pace = new HandOverPace()
  #nextId = 1
  #isHandOverDue = false
  #probedMs = Number.NEGATIVE_INFINITY

  constructor(server: Server, table: ConnectionTable, hooks: IncomingHooks) {
    this.#table = table
    this.#hooks = hooks
    server.on('connection', (conn) => this.#accept(conn))
    server.once('listening', () => {
      server.on('error', (error: NodeJS.ErrnoException) => {
        this.#shrink(error.message)
      })
    })
  }

  /** The number of a connection in the table; undefined after it was closed. */
  idOf(conn: Socket): number | undefined {
    return this.#ids.get(conn)
  }

  /** To be called again and again: closes connections that have not shaken hands in time, and some when descriptors run out. */
  tick(nowMs: number): void {
    for (const id of this.#table.unshaken(handshakeMs, nowMs)) this.close(id)
    if (nowMs - this.#probedMs < probeEveryMs) return
    this.#probedMs = nowMs
    if (isOutOfDescriptors()) this.#shrink('no descriptor is left')
  }

  /** Closes a connection at once: what it has not taken is dropped by the kernel, too. */
  close(id: number): void {
    this.#sockets.get(id)?.resetAndDestroy()
  }

  #shrink(reason: string): void {
    for (const id of this.#table.shrink()) this.close(id)
    this.#hooks.short(reason, this.#table.max)
  }

  #accept(conn: Socket): void {
    conn.on('error', () => {})
    this.#pace.accept()
    const id = this.#nextId++
    const owner = addressOwner(conn.remoteAddress ?? '')
    const admission = this.#table.admit(id, owner, performance.now())
    if (!admission.ok || admission.close !== undefined) this.#hooks.crowded(this.#table.size)
    if (!admission.ok) {
      conn.resetAndDestroy()
      return
    }
    this.#sockets.set(id, conn)
    this.#ids.set(conn, id)
    conn.once('close', () => {
      this.#table.leave(id)
      this.#sockets.delete(id)
      this.#ready.delete(owner, conn)
    })
    if (admission.close !== undefined) this.close(admission.close)
    this.#wait(conn, owner)
  }

  #wait(conn: Socket, owner: string): void {
    const look = (): void => {
      const head: Buffer | null = conn.read(handshakeBytes)
      if (head === null) return
      conn.off('readable', look)
      // Longer than a handshake if the other side has ended: then there is nothing to hand over.
      if (head.length < handshakeBytes) conn.destroy()
      else {
        conn.unshift(head)
        this.#ready.add(owner, conn)
        this.#handOverSoon()
      }
    }
    conn.on('readable', look)
  }

  #handOverSoon(): void {
    if (this.#isHandOverDue) return
    this.#isHandOverDue = true
    setImmediate(() => this.#handOver())
  }

  /** One address after the other, so that a thousand connections of one do not keep the others waiting. */
  #handOver(): void {
    this.#isHandOverDue = false
    for (let left = this.#pace.turn(); left > 0; left--) {
      const conn = this.#ready.take()
      if (conn === undefined) return
      this.#hooks.handOver(conn)
    }
    if (this.#ready.size > 0) this.#handOverSoon()
  }
}
