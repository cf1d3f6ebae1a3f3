/**
 * Which stock clients the origin unchokes: a few at a time, first come first served, and whoever has had
 * its share makes room when others wait. Pure. Agents are never here: handout.ts governs them.
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
  /** Interested and choked, the longest waiting first. */
  readonly #waiting = new Set<number>()
  /** Unchoked: since when, and when it last took something. */
  readonly #served = new Map<number, { sinceMs: number; activeMs: number }>()

  interested(conn: number): void {
    if (!this.#served.has(conn)) this.#waiting.add(conn)
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
    for (const [conn, { sinceMs, activeMs }] of this.#served) {
      if (expected === 0) break
      if (nowMs - sinceMs < shareMs && nowMs - activeMs < idleMs) continue
      this.#served.delete(conn)
      this.#waiting.add(conn)
      changes.choke.push(conn)
      expected--
    }
    for (const conn of this.#waiting) {
      if (this.#served.size >= (busy ? slotsWhileBusy : slots)) break
      if (changes.choke.includes(conn)) continue
      this.#waiting.delete(conn)
      this.#served.set(conn, { sinceMs: nowMs, activeMs: nowMs })
      changes.unchoke.push(conn)
    }
    return changes
  }
}
