/** How many lines of what anybody can cause go to a log: a burst, then a few a second. The next one says how many were left out. Pure. */
import { FairRate } from './fair-rate.js'
import { TokenBucket } from './token-bucket.js'

class LeftOut {
  #count = 0

  /** Undefined: a line is left out. Else how many were since the last one that was not. */
  next(isAdmitted: boolean): number | undefined {
    if (!isAdmitted) {
      this.#count += 1
      return undefined
    }
    const count = this.#count
    this.#count = 0
    return count
  }
}

/** The budget of one log. */
export class LineBudget {
  readonly #bucket: TokenBucket
  readonly #leftOut = new LeftOut()

  constructor(perSecond: number, burst: number) {
    this.#bucket = new TokenBucket(perSecond, burst)
  }

  /** Undefined: the line is left out. Else how many were since the last one that was not. `nowMs` never goes back. */
  take(nowMs: number): number | undefined {
    return this.#leftOut.next(this.#bucket.take(1, nowMs))
  }
}

/** The budget of one log that addresses share (fair-rate.ts). */
export class SharedLineBudget {
  readonly #rate: FairRate
  readonly #leftOut = new LeftOut()

  constructor(perSecond: number, burst: number) {
    this.#rate = new FairRate({ perSecond, burst })
  }

  /** As {@link LineBudget.take}, of a line that this address, or machine, has caused. */
  take(address: string, nowMs: number): number | undefined {
    return this.#leftOut.next(this.#rate.take(address, nowMs))
  }
}
