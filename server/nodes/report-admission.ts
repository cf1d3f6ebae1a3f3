/**
 * How much nodes may report: bytes a second for each node, for each address and in all, so that whoever reports without end
 * delays the reports of others and nothing else. Unknown nodes (inventory.ts) share a half: names can be invented.
 */
import { BootswarmError } from '../../src/errors.js'
import { FairRate } from '../../src/fair-rate.js'
import { NODES_MAX } from '../../src/limits.js'
import { addressOwner } from '../../src/net.js'
import type { NodeLog } from './event-log.js'
import { LineLimit } from './line-limit.js'

/** A bucket: so many bytes at once, so many a second. */
interface Rate {
  readonly burstBytes: number
  readonly bytesPerS: number
}

const kib = 1024
/**
 * A boot takes 2 to 6 KB of reports, and 300 bytes in 10 s while it lasts. An agent that could not report for an hour has
 * 60 KB. 500 nodes behind one address: 3 MB for a storm, and 15 KB a second. What all may send is shared by addresses (fair-rate.ts).
 */
const rates = {
  node: { burstBytes: 128 * kib, bytesPerS: 4 * kib },
  address: { burstBytes: 8192 * kib, bytesPerS: 512 * kib },
  all: { burstBytes: 16_384 * kib, bytesPerS: 1024 * kib },
} as const satisfies Record<string, Rate>

/** What a post costs beside its bytes. */
const postBytes = 300
/** Addresses that are remembered; one that is forgotten begins anew, within what all may send. */
const addressesMax = 4096
/** Longest wait that a node is told, seconds. */
const retryAfterMaxS = 60

/** Lines that say so: one a minute for an address. */
const lineLimits = { windowMs: 60_000, addressMax: 1, allMax: 20 } as const

/** Who reports. */
export interface Sender {
  readonly node: string
  readonly address: string
  /** It has booted or the configuration names it, and it was last heard of at this address. */
  readonly isKnown: boolean
}

/** See the module. */
export class ReportAdmission {
  readonly #nodes = new Buckets(rates.node, NODES_MAX)
  readonly #addresses = new Buckets(rates.address, addressesMax)
  readonly #unknownAt = new Buckets(half(rates.address), addressesMax)
  readonly #all = shared(rates.all)
  readonly #allUnknown = shared(half(rates.all))
  readonly #log: Pick<NodeLog, 'warn'>
  readonly #nowMs: () => number
  readonly #lines = new LineLimit(lineLimits)
  #refused = 0

  /** @param nowMs milliseconds of a clock that never goes back */
  constructor(log: Pick<NodeLog, 'warn'>, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** Reports that were refused. */
  get refused(): number {
    return this.#refused
  }

  /**
   * Takes a report of so many bytes in.
   *
   * @throws BootswarmError REPORTS_TOO_MANY: it may be sent again later
   */
  admit(sender: Sender, bytes: number): void {
    const waitS = this.#waitS(sender, bytes, this.#nowMs())
    if (waitS === 0) return
    this.#refused += 1
    const { node, address } = sender
    const share = { name: addressOwner(address), max: lineLimits.addressMax }
    if (this.#lines.admits([share], address, this.#nowMs())) {
      this.#log.warn(
        { event: 'nodes.reports-refused', code: 'REPORTS_TOO_MANY', address, node },
        `${address} sends more reports than the server takes; they are refused for now`,
      )
    }
    const retryAfterS = Math.min(retryAfterMaxS, Math.ceil(waitS))
    throw new BootswarmError('REPORTS_TOO_MANY', 'too many reports: send them again later', { retryAfterS })
  }

  #waitS({ node, address, isKnown }: Sender, bytes: number, nowMs: number): number {
    const cost = bytes + postBytes
    const owner = addressOwner(address)
    const own: Bucket[] = [
      [this.#nodes, `${owner} ${node}`],
      [this.#addresses, owner],
    ]
    if (!isKnown) own.push([this.#unknownAt, owner])
    const all = isKnown ? [this.#all] : [this.#all, this.#allUnknown]
    const waitsMs = all.map((rate) => rate.waitMs(owner, nowMs, cost))
    const waitS = Math.max(waitForS(own, cost, nowMs), ...waitsMs.map((waitMs) => waitMs / 1000))
    if (waitS > 0) return waitS
    takeFrom(own, cost)
    for (const rate of all) rate.take(owner, nowMs, cost)
    return 0
  }
}

/** A bucket of those of one rate. */
type Bucket = readonly [of: Buckets, key: string]

/** Seconds until so much may be taken from each of them. */
function waitForS(buckets: readonly Bucket[], bytes: number, nowMs: number): number {
  return Math.max(...buckets.map(([of, key]) => of.waitS(key, bytes, nowMs)))
}

function takeFrom(buckets: readonly Bucket[], bytes: number): void {
  for (const [of, key] of buckets) of.take(key, bytes)
}

/** Token buckets of one rate, by key; those used last are remembered, the others are full. */
class Buckets {
  readonly #rate: Rate
  readonly #max: number
  readonly #left = new Map<string, { bytes: number; atMs: number }>()

  constructor(rate: Rate, max: number) {
    this.#rate = rate
    this.#max = max
  }

  /** Seconds until so much may be taken; 0: now. */
  waitS(key: string, bytes: number, nowMs: number): number {
    return Math.max(0, bytes - this.#leftNow(key, nowMs)) / this.#rate.bytesPerS
  }

  take(key: string, bytes: number): void {
    const left = this.#left.get(key)
    if (left !== undefined) left.bytes -= bytes
  }

  #leftNow(key: string, nowMs: number): number {
    const { burstBytes, bytesPerS } = this.#rate
    const before = this.#left.get(key) ?? { bytes: burstBytes, atMs: nowMs }
    const grownBytes = (Math.max(0, nowMs - before.atMs) / 1000) * bytesPerS
    const bytes = Math.min(burstBytes, before.bytes + grownBytes)
    // Taken out and put in again: the map stays ordered by use.
    this.#left.delete(key)
    this.#left.set(key, { bytes, atMs: nowMs })
    if (this.#left.size > this.#max) this.#forgetOldest()
    return bytes
  }

  #forgetOldest(): void {
    const [oldest] = this.#left.keys()
    if (oldest !== undefined) this.#left.delete(oldest)
  }
}

function shared({ burstBytes, bytesPerS }: Rate): FairRate {
  return new FairRate({ burst: burstBytes, perSecond: bytesPerS })
}

function half({ burstBytes, bytesPerS }: Rate): Rate {
  return { burstBytes: burstBytes / 2, bytesPerS: bytesPerS / 2 }
}
