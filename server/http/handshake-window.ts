/**
 * Who may begin a TLS handshake now. A pure decision: time is an argument.
 *
 * When a farm starts at once, each node is answered with about a kilobyte. Hundreds of those together are more than waits in
 * front of a slow link: what does not find room there, or waits for longer than TCP does, is sent again. A few at a time
 * keep the link busy, as the next one begins when another is finished. While they come back quickly there may be more of
 * them, so that neither slow processors nor the way there and back become what limits a fast link.
 *
 * First come, first served, address by address: one that comes with many connections has one turn in each round, and a quarter of the
 * window. While nobody else waits it may have more, since hundreds of nodes may stand behind one address, but for a quarter that
 * others find free.
 */

/** Handshakes at a time. At 2 Mbit/s, the scaled-down link of the benches, the least of them wait for a tenth of a second. */
export const HANDSHAKES_MIN = 16
export const HANDSHAKES_MAX = 128
/** Of these, the part of one address, and what such addresses may fill together while nobody else waits. */
const addressShare = 1 / 4
const freeShare = 3 / 4

/** A handshake that took less makes room for one more, one that took more for one less, milliseconds. TCP waits for 200. */
const quickMs = 50
const slowMs = 100

/** Connections that wait for their handshake, and those whose handshake runs. `T` stands for a connection. */
export class HandshakeWindow<T> {
  readonly #overdueMs: number
  #size = HANDSHAKES_MIN
  /** Longest inside first. */
  readonly #inside = new Map<T, { readonly address: string; readonly sinceMs: number }>()
  readonly #insideOf = new Map<string, number>()
  /** By address, next turn first. */
  readonly #waiting = new Map<string, Set<T>>()
  /** The same, of addresses that have their part inside. */
  readonly #full = new Map<string, Set<T>>()

  /** @param overdueMs a handshake that takes longer no longer counts in the window */
  constructor(overdueMs: number) {
    this.#overdueMs = overdueMs
  }

  /** Handshakes that may run at a time now. */
  get size(): number {
    return this.#size
  }

  /** Handshakes that run now. */
  get inside(): number {
    return this.#inside.size
  }

  /** When to call {@link next} even if no connection has opened or closed; undefined: no need. */
  get lookAtMs(): number | undefined {
    if (this.#waiting.size === 0 && this.#full.size === 0) return undefined
    const [oldest] = this.#inside.values()
    return oldest && oldest.sinceMs + this.#overdueMs
  }

  /** A connection asks for its turn. */
  arrive(who: T, address: string): void {
    const queue = this.#waiting.get(address) ?? this.#full.get(address)
    if (queue !== undefined) queue.add(who)
    else this.#wait(address, new Set([who]))
  }

  /** Has finished its handshake. */
  finish(who: T, nowMs: number): void {
    const sinceMs = this.#inside.get(who)?.sinceMs
    if (sinceMs === undefined) return
    this.#goOut(who)
    const tookMs = nowMs - sinceMs
    if (tookMs < quickMs) this.#size = Math.min(HANDSHAKES_MAX, this.#size + 1)
    else if (tookMs > slowMs) this.#size = Math.max(HANDSHAKES_MIN, this.#size - 1)
  }

  /** The connection is gone, while waiting or in its handshake; a second time has no effect. */
  leave(who: T, address: string): void {
    if (this.#goOut(who)) return
    for (const queues of [this.#waiting, this.#full]) {
      const queue = queues.get(address)
      if (queue?.delete(who) && queue.size === 0) queues.delete(address)
    }
  }

  /** Those whose turn it is now, in order. */
  next(nowMs: number): T[] {
    for (const [who, { sinceMs }] of this.#inside) {
      if (sinceMs + this.#overdueMs > nowMs) break
      this.#goOut(who)
    }
    const turns: T[] = []
    while (this.#inside.size < this.#size) {
      const isFree = this.#inside.size < this.#size * freeShare
      const queues = this.#waiting.size === 0 && isFree ? this.#full : this.#waiting
      const [first] = queues
      if (first === undefined) break
      const [address, queue] = first
      queues.delete(address)
      const [who] = queue
      if (who === undefined) continue
      queue.delete(who)
      this.#inside.set(who, { address, sinceMs: nowMs })
      this.#insideOf.set(address, (this.#insideOf.get(address) ?? 0) + 1)
      if (queue.size > 0) this.#wait(address, queue)
      turns.push(who)
    }
    return turns
  }

  #wait(address: string, queue: Set<T>): void {
    const isFull = (this.#insideOf.get(address) ?? 0) >= this.#size * addressShare
    const queues = isFull ? this.#full : this.#waiting
    queues.set(address, queue)
  }

  #goOut(who: T): boolean {
    const address = this.#inside.get(who)?.address
    if (address === undefined) return false
    this.#inside.delete(who)
    const left = (this.#insideOf.get(address) ?? 0) - 1
    if (left > 0) this.#insideOf.set(address, left)
    else this.#insideOf.delete(address)
    const queue = this.#full.get(address)
    if (queue !== undefined) {
      this.#full.delete(address)
      this.#wait(address, queue)
    }
    return true
  }
}
