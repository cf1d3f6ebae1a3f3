/**
 * How many packets are read. One address may have three quarters of them; the last quarter is for addresses that send little,
 * so that a flood from one does not silence the others. Pure.
 */

import { TokenBucket, TokenBuckets } from '../../src/token-bucket.js'

/** Of all packets, kept for addresses that send little; and how many that is. */
const keptPart = 1 / 4
const littlePart = 1 / 8
/** Addresses that are remembered. */
const addressesMax = 4_096

/** The packets of one socket. */
export class PacketBudget {
  readonly #common: TokenBucket
  readonly #kept: TokenBucket
  readonly #little: TokenBuckets

  /** @param perSecond of all addresses, and as many at once */
  constructor(perSecond: number) {
    const [kept, little] = [perSecond * keptPart, perSecond * littlePart]
    this.#common = new TokenBucket(perSecond - kept, perSecond - kept)
    this.#kept = new TokenBucket(kept, kept)
    this.#little = new TokenBuckets(addressesMax, little, little)
  }

  /** Whether a packet of this address is read. */
  take(address: string, nowMs: number): boolean {
    const isLittle = this.#little.take(address, 1, nowMs)
    return this.#common.take(1, nowMs) || (isLittle && this.#kept.take(1, nowMs))
  }
}
