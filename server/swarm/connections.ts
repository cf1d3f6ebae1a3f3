/**
 * Which connection of the seeder is closed when a new one finds no room. An address may hold what nobody else asks for;
 * when all room is taken the least useful connection gives way. Pure.
 */

import { AddressQueues } from '../../src/address-queues.js'

/** How far a connection has come: accepted, handshake done, a piece moved. The further, the longer it is kept. */
const stages = ['accepted', 'shaken', 'moved'] as const

/** A connection over which a piece moved is kept so long, unless its address holds more than that of the new one. */
const keepMs = 10_000
/** Fewer than this are not offered, however few descriptors there are. */
const connectionsMin = 64
/** Descriptors left free after a connection could not be accepted. */
const spare = 16

type Stage = (typeof stages)[number]

interface Held {
  readonly address: string
  stage: Stage
  /** When it entered its stage, or last moved a piece. */
  atMs: number
}

/** What {@link ConnectionTable.admit} decides; `close` names the connection that gives way. */
export type Admission = { readonly ok: true; readonly close?: number } | { readonly ok: false }

/** All connections of the seeder. */
export class ConnectionTable {
  #max: number
  readonly #held = new Map<number, Held>()
  /** Of each address the longest without progress first. */
  readonly #queues: Record<Stage, AddressQueues<number>> = {
    accepted: new AddressQueues(),
    shaken: new AddressQueues(),
    moved: new AddressQueues(),
  }

  /** @param max connections in all */
  constructor(max: number) {
    this.#max = Math.max(connectionsMin, max)
  }

  get size(): number {
    return this.#held.size
  }

  get max(): number {
    return this.#max
  }

  /** A new connection. Where one gives way to it, that one has left the table. */
  admit(id: number, address: string, nowMs: number): Admission {
    let close: number | undefined
    if (this.#held.size >= this.#max) {
      close = this.#leastUseful(address, nowMs)
      if (close === undefined) return { ok: false }
      this.leave(close)
    }
    this.#held.set(id, { address, stage: 'accepted', atMs: nowMs })
    this.#queues.accepted.add(address, id)
    return close === undefined ? { ok: true } : { ok: true, close }
  }

  /** Its handshake is done. */
  shaken(id: number, nowMs: number): void {
    this.#advance(id, 'shaken', nowMs)
  }

  /** A piece went to it, or it announced one that was new of it. */
  moved(id: number, nowMs: number): void {
    this.#advance(id, 'moved', nowMs)
  }

  leave(id: number): void {
    const held = this.#held.get(id)
    if (held === undefined) return
    this.#held.delete(id)
    this.#queues[held.stage].delete(held.address, id)
  }

  /** Those whose handshake has not been done for so long. */
  unshaken(forMs: number, nowMs: number): number[] {
    const found: number[] = []
    for (const queue of this.#queues.accepted.each()) {
      for (const id of queue) {
        const held = this.#held.get(id)
        if (held === undefined || nowMs - held.atMs < forMs) break
        found.push(id)
      }
    }
    return found
  }

  /**
   * A connection could not be accepted: fewer than now are held until the process ends. Returns those that give way; they
   * have left the table.
   */
  shrink(): number[] {
    this.#max = Math.max(connectionsMin, Math.min(this.#max, this.#held.size - spare))
    const closed: number[] = []
    while (this.#held.size > this.#max) {
      const [queue] = stages.map((stage) => this.#queues[stage]).filter(({ size }) => size > 0)
      const id = queue?.oldestOfLargest()
      if (id === undefined) break
      this.leave(id)
      closed.push(id)
    }
    return closed
  }

  #leastUseful(newcomer: string, nowMs: number): number | undefined {
    for (const stage of stages) {
      const id = this.#queues[stage].oldestOfLargest()
      const held = id === undefined ? undefined : this.#held.get(id)
      if (held === undefined) continue
      const isKept = nowMs - held.atMs < keepMs && this.#countOf(held.address) <= this.#countOf(newcomer) + 1
      return stage === 'moved' && isKept ? undefined : id
    }
    return undefined
  }

  #countOf(address: string): number {
    return stages.reduce((sum, stage) => sum + this.#queues[stage].countOf(address), 0)
  }

  #advance(id: number, stage: Stage, nowMs: number): void {
    const held = this.#held.get(id)
    if (held === undefined) return
    this.#queues[held.stage].delete(held.address, id)
    held.stage = stage
    held.atMs = nowMs
    this.#queues[stage].add(held.address, id)
  }
}
