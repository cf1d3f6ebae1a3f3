/**
 * Who may stream from the origin now, and when the others shall ask again. A pure decision: time is an
 * argument. A stream that is refused costs the server a few hundred bytes, a stream too many costs every
 * node its share of the uplink, so that none of them finishes.
 *
 * Fair: beyond a quarter of the slots an address may use what nobody else asks for, but for a quarter that others find free. When
 * all are taken, an address that has had slots for long gives one up to an address that holds less. How long its streams last does not
 * count: whoever ends them and asks again at once would have all slots for ever. The waiting times of refused nodes are staggered
 * (fair-tickets.ts).
 */

import { FairTickets } from './fair-tickets.js'

/** Slots are counted in quarters: a small part takes one, a stream four. */
const slotQuarters = 4

/** So many slots are left while the seeder hands out: what it gives away is passed on, a stream helps one node. */
const slotsWhileHandingOut = 1

/** An address gives way after this if it holds more than the other one then would, milliseconds: a part of 4 MiB took less. */
const yieldsMs = 10_000
/** And after this if it holds more than the other one does: a turn each. */
const turnMs = 60_000
/** Without a slot for so long an address begins anew, milliseconds: agents ask for the next part at once. */
const pauseMs = 10_000

/** The waiting time of a refused node lies within these, seconds. */
const retryAfterS = { min: 1, max: 30 } as const

/** The guess for a stream's duration before the first has ended, milliseconds. */
const firstGuessMs = 1000

/** A request's answer: a lease to give back, perhaps in the place of another one that has ended with it, or a time to wait. */
export type Admission =
  | { readonly ok: true; readonly lease: Lease; readonly inPlaceOf?: Lease }
  | { readonly ok: false; readonly retryAfterS: number }

/** A held slot. */
export interface Lease {
  readonly quarters: number
  readonly address: string
  readonly startedMs: number
  /** Ends the stream. */
  readonly end: () => void
}

/** What an address holds, and since when it has held something. */
interface Holder {
  quarters: number
  readonly sinceMs: number
  /** When it gave back the last of it. */
  leftMs: number
}

/** Counts the streams of the origin. */
export class StreamSlots {
  readonly #quartersMax: number
  readonly #addressQuartersMax: number
  readonly #smallBytesMax: number
  readonly #isHandingOut: () => boolean
  #quarters = 0
  /** Also those that hold nothing, until they begin anew. */
  readonly #holders = new Map<string, Holder>()
  readonly #leases = new Set<Lease>()
  #durationMs = firstGuessMs
  readonly #tickets = new FairTickets()
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

  /** Asks for a slot for a body of `bodyBytes` to `address`; `end` is for whom the stream must give way to. */
  admit(address: string, bodyBytes: number, nowMs: number, end: () => void = () => {}): Admission {
    const quarters = bodyBytes <= this.#smallBytesMax ? 1 : slotQuarters
    const held = this.#heldBy(address)
    const quartersMax = this.#isHandingOut() ? slotsWhileHandingOut * slotQuarters : this.#quartersMax
    const isWithinShare = held + quarters <= this.#addressQuartersMax
    const freeForOthers = isWithinShare ? 0 : this.#addressQuartersMax
    const lease: Lease = { quarters, address, startedMs: nowMs, end }
    if (this.#quarters + quarters <= quartersMax - freeForOthers) {
      this.#hold(lease, nowMs)
      return { ok: true, lease }
    }
    const other = this.#givesWay(held, quarters, nowMs)
    if (other === undefined || this.#quarters - other.quarters + quarters > quartersMax) {
      return { ok: false, retryAfterS: this.#retryAfterS(address, nowMs) }
    }
    this.release(other, nowMs)
    this.#hold(lease, nowMs)
    return { ok: true, lease, inPlaceOf: other }
  }

  #heldBy(address: string): number {
    return this.#holders.get(address)?.quarters ?? 0
  }

  #hold(lease: Lease, nowMs: number): void {
    for (const [address, { quarters, leftMs }] of this.#holders)
      if (quarters === 0 && nowMs - leftMs >= pauseMs) this.#holders.delete(address)
    const holder = this.#holders.get(lease.address) ?? { quarters: 0, sinceMs: nowMs, leftMs: nowMs }
    holder.quarters += lease.quarters
    this.#holders.set(lease.address, holder)
    this.#leases.add(lease)
    this.#quarters += lease.quarters
  }

  /** The oldest stream whose place an address may take that holds `held` and wants `quarters` more. */
  #givesWay(held: number, quarters: number, nowMs: number): Lease | undefined {
    for (const lease of this.#leases) {
      const other = this.#holders.get(lease.address)
      if (other === undefined || nowMs - other.sinceMs < yieldsMs) continue
      const hadTurn = nowMs - other.sinceMs >= turnMs
      if (other.quarters > held + quarters || (other.quarters > held && hadTurn)) return lease
    }
    return undefined
  }

  /** Gives a slot back; a second time has no effect. */
  release(lease: Lease, nowMs: number): void {
    if (!this.#leases.delete(lease)) return
    this.#quarters -= lease.quarters
    const holder = this.#holders.get(lease.address)
    if (holder !== undefined) {
      holder.quarters -= lease.quarters
      holder.leftMs = nowMs
    }
    if (lease.quarters === slotQuarters) {
      this.#durationMs = this.#durationMs * 0.8 + Math.max(0, nowMs - lease.startedMs) * 0.2
    }
  }

  /** Who has the n-th ticket of this round waits until n streams can have ended. */
  #retryAfterS(address: string, nowMs: number): number {
    const roundMs = retryAfterS.max * 1000
    if (nowMs - this.#ticketsSinceMs > Math.min(roundMs, this.#waitMs(this.#tickets.size))) {
      this.#tickets.clear()
      this.#ticketsSinceMs = nowMs
    }
    const waitS = Math.ceil(this.#waitMs(this.#tickets.take(address)) / 1000)
    return Math.min(retryAfterS.max, Math.max(retryAfterS.min, waitS))
  }

  #waitMs(tickets: number): number {
    return (tickets * this.#durationMs * slotQuarters) / this.#quartersMax
  }
}
