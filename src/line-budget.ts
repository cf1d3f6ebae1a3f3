/** How many lines of what anybody can cause go to a log: a burst, then a few a second. The next one says how many were left out. Pure. */
import { TokenBucket } from './token-bucket.js'

/** The budget of one log. */
export class LineBudget {
  readonly #bucket: TokenBucket
  #leftOut = 0

  constructor(perSecond: number, burst: number) {
    this.#bucket = new TokenBucket(perSecond, burst)
  }

  /** Undefined: the line is left out. Else how many were since the last one that was not. `nowMs` never goes back. */
  take(nowMs: number): number | undefined {
    if (!this.#bucket.take(1, nowMs)) {
      this.#leftOut += 1
      return undefined
    }
    const leftOut = this.#leftOut
    this.#leftOut = 0
    return leftOut
  }
}
