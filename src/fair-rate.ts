/**
 * A rate that addresses share: so many at once of all, and then so many a second. The more an address has had lately, the more of
 * the last quarter it leaves to others. So one alone may have most at once, whoever floods us, at however many addresses, leaves to
 * those that ask for little what they ask for, and those that all want more than there is have equal parts. Pure.
 *
 * Who invents an address for each packet is not told from newcomers.
 */

/** Of what can be had at once, at most so much is left to addresses that have had less lately. */
const keptPart = 1 / 4
/** What an address has had counts for less and less, to 1/e after this. */
const forgetMs = 10_000
const addressesMax = 4_096

/** How much of what can be had at once an address leaves to those that have had less, which has had this part of all lately. */
export function keptFor(hadPart: number): number {
  // The root tells those that have had a few from those that have had more, and floods from one another.
  return keptPart * Math.sqrt(Math.min(1, hadPart))
}

/** What all addresses share: requests, packets or bytes. */
export interface FairRateLimits {
  readonly perSecond: number
  /** At once. */
  readonly burst: number
}

interface Had {
  count: number
  atMs: number
}

/** One rate. */
export class FairRate {
  readonly #limits: FairRateLimits
  /** Whoever takes all for long has had so much lately. */
  readonly #mostHad: number
  #left: number
  #atMs: number | undefined
  /** Those that have asked last are the last. */
  readonly #had = new Map<string, Had>()

  constructor(limits: FairRateLimits) {
    this.#limits = limits
    this.#mostHad = Math.max(limits.burst, (limits.perSecond * forgetMs) / 1000)
    this.#left = limits.burst
  }

  /** Takes so many for this address if they are within the rate. */
  take(address: string, nowMs: number, count = 1): boolean {
    if (this.waitMs(address, nowMs, count) > 0) return false
    this.#left -= count
    this.#hadBy(address, nowMs).count += count
    return true
  }

  /** Milliseconds until it may take so many if nobody takes any before; 0: now. */
  waitMs(address: string, nowMs: number, count = 1): number {
    const { perSecond, burst } = this.#limits
    // A clock that is set back gives nothing, and takes nothing.
    const elapsedMs = Math.max(0, nowMs - (this.#atMs ?? nowMs))
    this.#left = Math.min(burst, this.#left + (elapsedMs * perSecond) / 1000)
    this.#atMs = nowMs
    const kept = burst * keptFor(this.#hadBy(address, nowMs).count / this.#mostHad)
    return (Math.max(0, kept + count - this.#left) * 1000) / perSecond
  }

  #hadBy(address: string, nowMs: number): Had {
    const had = this.#had.get(address) ?? { count: 0, atMs: nowMs }
    had.count *= Math.exp(-Math.max(0, nowMs - had.atMs) / forgetMs)
    had.atMs = nowMs
    this.#had.delete(address)
    this.#had.set(address, had)
    const [first] = this.#had.size > addressesMax ? this.#had.keys() : []
    if (first !== undefined) this.#had.delete(first)
    return had
  }
}
