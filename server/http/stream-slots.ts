/**
 * Who may stream from the origin now, and when the others shall ask again. A pure decision: time is an
 * argument. A stream that is refused costs the server a few hundred bytes, a stream too many costs every
 * node its share of the uplink, so that none of them finishes.
 *
 * Fair: one address holds at most a quarter of the slots, and the waiting times of refused nodes are
 * staggered, so that they do not all return together.
 */
import { isLoopback } from '../../src/net.js'

/** Slots are counted in quarters: a small part takes one, a stream four. */
const slotQuarters = 4

/** So many slots are left while the seeder hands out: what it gives away is passed on, a stream helps one node. */
const slotsWhileHandingOut = 1

/** The waiting time of a refused node lies within these, seconds. */
const retryAfterS = { min: 1, max: 30 } as const

/** The guess for a stream's duration before the first has ended, milliseconds. */
const firstGuessMs = 1000

/** A request's answer: a lease to give back, or a time to wait. */
export type Admission =
  | { readonly ok: true; readonly lease: Lease }
  | { readonly ok: false; readonly retryAfterS: number }

/** A held slot. */
export interface Lease {
  readonly quarters: number
  readonly address: string
  readonly startedMs: number
}

/** Counts the streams of the origin. */
export class StreamSlots {
  readonly #quartersMax: number
  readonly #addressQuartersMax: number
  readonly #smallBytesMax: number
  readonly #isHandingOut: () => boolean
  #quarters = 0
  readonly #byAddress = new Map<string, number>()
  readonly #leases = new Set<Lease>()
  #durationMs = firstGuessMs
  #tickets = 0
  #ticketsSinceMs = 0

  /**
   * `streamsMax` whole streams at a time; a body of up to `smallBytesMax` counts for a quarter of one.
   * While `isHandingOut` there are fewer.
   */
  constructor(streamsMax: number, smallBytesMax: number, isHandingOut: () => boolean = () => false) {
    this.#isHandingOut = isHandingOut
    this.#quartersMax = streamsMax * slotQuarters
    this.#addressQuartersMax = Math.max(2, Math.ceil(streamsMax / 4)) * slotQuarters
    this.#smallBytesMax = smallBytesMax
  }

  /** Streams that run now. */
  get active(): number {
    return this.#leases.size
  }

  /** Asks for a slot for a body of `bodyBytes` to `address`. */
  admit(address: string, bodyBytes: number, nowMs: number): Admission {
    const quarters = bodyBytes <= this.#smallBytesMax ? 1 : slotQuarters
    const held = this.#byAddress.get(address) ?? 0
    // Loopback may be many nodes behind one address: a demo, or a proxy on this machine.
    const addressMax = isLoopback(address) ? this.#quartersMax : this.#addressQuartersMax
    const quartersMax = this.#isHandingOut() ? slotsWhileHandingOut * slotQuarters : this.#quartersMax
    if (this.#quarters + quarters > quartersMax || held + quarters > addressMax) {
      return { ok: false, retryAfterS: this.#ticket(nowMs) }
    }
    const lease: Lease = { quarters, address, startedMs: nowMs }
    this.#leases.add(lease)
    this.#quarters += quarters
    this.#byAddress.set(address, held + quarters)
    return { ok: true, lease }
  }

  /** Gives a slot back; a second time has no effect. */
  release(lease: Lease, nowMs: number): void {
    if (!this.#leases.delete(lease)) return
    this.#quarters -= lease.quarters
    const held = (this.#byAddress.get(lease.address) ?? 0) - lease.quarters
    if (held > 0) this.#byAddress.set(lease.address, held)
    else this.#byAddress.delete(lease.address)
    if (lease.quarters === slotQuarters) {
      this.#durationMs = this.#durationMs * 0.8 + Math.max(0, nowMs - lease.startedMs) * 0.2
    }
  }

  /** The n-th node refused in this round waits until n streams can have ended. */
  #ticket(nowMs: number): number {
    const roundMs = retryAfterS.max * 1000
    if (nowMs - this.#ticketsSinceMs > Math.min(roundMs, this.#waitMs(this.#tickets))) {
      this.#tickets = 0
      this.#ticketsSinceMs = nowMs
    }
    this.#tickets += 1
    const waitS = Math.ceil(this.#waitMs(this.#tickets) / 1000)
    return Math.min(retryAfterS.max, Math.max(retryAfterS.min, waitS))
  }

  #waitMs(tickets: number): number {
    return (tickets * this.#durationMs * slotQuarters) / this.#quartersMax
  }
}
