/** A rate for each address, and one that all of them share. Pure. */
import { FairRate, type FairRateLimits } from '../../src/fair-rate.js'
import { TokenBuckets } from '../../src/token-bucket.js'

/** Both rates: so many at once, and then so many a second. */
export interface Rates {
  readonly each: { readonly addressesMax: number; readonly perSecond: number; readonly burst: number }
  readonly all: FairRateLimits
}

/** Counts against both. */
export class SharedRate {
  readonly #each: TokenBuckets
  readonly #all: FairRate

  constructor({ each, all }: Rates) {
    this.#each = new TokenBuckets(each.addressesMax, each.perSecond, each.burst)
    this.#all = new FairRate(all)
  }

  /** Whether one more of `address` is within the rates. What some addresses have too much, the others do not lack. */
  take(address: string, nowMs: number): boolean {
    return this.#each.take(address, 1, nowMs) && this.#all.take(address, nowMs)
  }
}
