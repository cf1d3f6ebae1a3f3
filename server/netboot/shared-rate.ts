/** A rate for each of what clients choose (an address, a relay), and one for all of them. Pure. */
import { TokenBucket, TokenBuckets } from '../../src/token-bucket.js'

/** Both rates: so many at once, and then so many a second. */
export interface Rates {
  readonly each: { readonly addressesMax: number; readonly perSecond: number; readonly burst: number }
  readonly all: { readonly perSecond: number; readonly burst: number }
}

/** Counts against both. */
export class SharedRate {
  readonly #each: TokenBuckets
  readonly #all: TokenBucket

  constructor({ each, all }: Rates) {
    this.#each = new TokenBuckets(each.addressesMax, each.perSecond, each.burst)
    this.#all = new TokenBucket(all.perSecond, all.burst)
  }

  /** Whether one more of `address` is within the rates. What one address has too much, the others do not lack. */
  take(address: string, nowMs: number): boolean {
    return this.#each.take(address, 1, nowMs) && this.#all.take(1, nowMs)
  }
}
