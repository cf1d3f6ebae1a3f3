/**
 * Lets lines of the log through at a limited rate: whoever reports decides how many there would be. Bounded; time is
 * passed in.
 */

/** How many within a window. */
export interface LineLimits {
  readonly windowMs: number
  /** Lines about one name. */
  readonly perNameMax: number
  /** Lines in all; so many names are remembered. */
  readonly allMax: number
}

/** Counts lines. */
export class LineLimit {
  readonly #limits: LineLimits
  #startedMs = Number.NEGATIVE_INFINITY
  #lines = new Map<string, number>()
  #all = 0
  #suppressed = 0

  constructor(limits: LineLimits) {
    this.#limits = limits
  }

  /** Whether a line about this name may be written. */
  admits(name: string, nowMs: number): boolean {
    this.#goOn(nowMs)
    const lines = this.#lines.get(name) ?? 0
    if (this.#all >= this.#limits.allMax || lines >= this.#limits.perNameMax) {
      this.#suppressed += 1
      return false
    }
    this.#lines.set(name, lines + 1)
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
    this.#all = 0
  }
}
