/**
 * Lets lines of the log through at a limited rate: whoever reports decides how many there would be. Bounded; time is
 * passed in.
 */
import { keptFor } from '../../src/fair-rate.js'
import { addressOwner } from '../../src/net.js'

/** How many within a window. */
export interface LineLimits {
  readonly windowMs: number
  /** Lines in all, the last of them for those that have caused few; twice as many names are remembered at most. */
  readonly allMax: number
}

/** What a line counts for: a node, an address. */
export interface LineShare {
  readonly name: string
  /** Lines within a window. */
  readonly max: number
}

/** Counts lines. */
export class LineLimit {
  readonly #limits: LineLimits
  #startedMs = Number.NEGATIVE_INFINITY
  #lines = new Map<string, number>()
  #owners = new Map<string, number>()
  #all = 0
  #suppressed = 0

  constructor(limits: LineLimits) {
    this.#limits = limits
  }

  /** Whether a line may be written that counts for all of these, and was caused at an address. */
  admits(shares: readonly LineShare[], address: string, nowMs: number): boolean {
    this.#goOn(nowMs)
    const isOver = shares.some(({ name, max }) => (this.#lines.get(name) ?? 0) >= max)
    const { allMax } = this.#limits
    const owner = addressOwner(address)
    const own = this.#owners.get(owner) ?? 0
    if (isOver || this.#all + 1 > allMax * (1 - keptFor(own / allMax))) {
      this.#suppressed += 1
      return false
    }
    for (const { name } of shares) this.#lines.set(name, (this.#lines.get(name) ?? 0) + 1)
    this.#owners.set(owner, own + 1)
    this.#all += 1
    return true
  }

  /** How many lines were suppressed in windows that are over; each is told once. */
  takeSuppressed(nowMs: number): number {
    if (nowMs - this.#startedMs < this.#limits.windowMs) return 0
    const suppressed = this.#suppressed
    this.#suppressed = 0
    return suppressed
  }

  #goOn(nowMs: number): void {
    if (nowMs - this.#startedMs < this.#limits.windowMs) return
    this.#startedMs = nowMs
    this.#lines = new Map()
    this.#owners = new Map()
    this.#all = 0
  }
}
