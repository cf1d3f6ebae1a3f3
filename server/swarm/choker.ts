/**
 * Which stock clients the origin unchokes: a few at a time, the address that has fewest slots first, then first come first
 * served, and whoever has had its share makes room when others wait. Pure. Agents are never here: handout.ts governs them.
 */

const slots = 8
/** With agents in need, fewer stock clients are served at once. */
const slotsWhileBusy = 4
/** How long a client keeps its slot while others wait. */
const shareMs = 10_000
/** One that takes nothing for so long gives up its slot immediately (it may have finished without a message). */
const idleMs = 1_000

/** What changes: connections to unchoke and to choke. */
export interface ChokeChanges {
  unchoke: number[]
  choke: number[]
}

/** The slots of stock clients over all torrents. */
export class Choker {
  /** Interested and choked, the longest waiting first, with their addresses. */
  readonly #waiting = new Map<number, string>()
  /** Unchoked: since when, and when it last took something. */
  readonly #served = new Map<number, { address: string; sinceMs: number; activeMs: number }>()

  interested(conn: number, address: string): void {
    if (!this.#served.has(conn) && !this.#waiting.has(conn)) this.#waiting.set(conn, address)
  }

  /** Bytes went to it. */
  active(conn: number, nowMs: number): void {
    const slot = this.#served.get(conn)
    if (slot !== undefined) slot.activeMs = nowMs
  }

  /** Not interested any more, or gone. A client that was unchoked is choked by {@link update}'s caller on its own. */
  leave(conn: number): boolean {
    this.#waiting.delete(conn)
    return this.#served.delete(conn)
  }

  /** @param busy agents are being served */
  update(nowMs: number, busy: boolean): ChokeChanges {
    const changes: ChokeChanges = { unchoke: [], choke: [] }
    const free = (busy ? slotsWhileBusy : slots) - this.#served.size
    let expected = Math.max(0, this.#waiting.size - Math.max(0, free))
    for (const [conn, { address, sinceMs, activeMs }] of this.#served) {
      if (expected === 0) break
      if (nowMs - sinceMs < shareMs && nowMs - activeMs < idleMs) continue
      this.#served.delete(conn)
      this.#waiting.set(conn, address)
      changes.choke.push(conn)
      expected--
    }
    while (this.#served.size < (busy ? slotsWhileBusy : slots)) {
      const conn = this.#next(changes.choke)
      if (conn === undefined) break
      const address = this.#waiting.get(conn) ?? ''
      this.#waiting.delete(conn)
      this.#served.set(conn, { address, sinceMs: nowMs, activeMs: nowMs })
      changes.unchoke.push(conn)
    }
    return changes
  }

  /** The longest waiting of an address with fewest slots, but none of those that just gave theirs up. */
  #next(but: readonly number[]): number | undefined {
    const slotsOf = new Map<string, number>()
    for (const { address } of this.#served.values()) slotsOf.set(address, (slotsOf.get(address) ?? 0) + 1)
    let next: number | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const [conn, address] of this.#waiting) {
      const count = slotsOf.get(address) ?? 0
      if (count >= fewest || but.includes(conn)) continue
      next = conn
      fewest = count
      if (fewest === 0) break
    }
    return next
  }
}
