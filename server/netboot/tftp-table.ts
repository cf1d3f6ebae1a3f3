/**
 * The transfers that run, and which one makes room for another. No I/O.
 *
 * An address may have what nobody else asks for: hundreds of machines stand behind one where a router translates
 * addresses. When all room is taken, the address with most transfers makes room for those with fewer.
 */
import { TFTP_TRANSFERS_MAX, TFTP_UNCONFIRMED_MAX } from '../../src/limits.js'

/** What the table must know of a transfer. */
export interface TableEntry {
  readonly address: string
  readonly port: number
  /** The client has answered: it is no forged request. */
  readonly isConfirmed: boolean
}

/** Bounds of the table; smaller in tests. */
export interface TableLimits {
  readonly total: number
  /** Of one address, transfers that nobody has answered. */
  readonly unconfirmed: number
}

/** Fewer than this are not offered, however few descriptors there are. */
const totalMin = 4

/** Descriptors left free after one could not be had: the table of neighbours is read through one. */
const spare = 8

/** After this time it is tried again whether there are more, milliseconds. */
const againMs = 60_000

/** All transfers, by address and port of their clients. */
export class TransferTable<Entry extends TableEntry> {
  readonly #entries = new Map<string, Entry>()
  readonly #byAddress = new Map<string, Set<Entry>>()
  readonly #limits: TableLimits
  #total: number
  #shrunkMs = Number.NEGATIVE_INFINITY

  constructor(limits: TableLimits = { total: TFTP_TRANSFERS_MAX, unconfirmed: TFTP_UNCONFIRMED_MAX }) {
    this.#limits = limits
    this.#total = limits.total
  }

  get size(): number {
    return this.#entries.size
  }

  /** In the order of their beginning. */
  values(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  get(address: string, port: number): Entry | undefined {
    return this.#entries.get(key(address, port))
  }

  /**
   * Which transfer must end before this client gets another; `full` if none may be given up. Of those that never answered
   * most are forged, or of machines that were switched off and on: they make room first, the oldest of them.
   */
  roomFor(address: string, nowMs: number): Entry | undefined | 'full' {
    if (nowMs - this.#shrunkMs >= againMs) this.#total = this.#limits.total
    const own = this.#byAddress.get(address) ?? new Set<Entry>()
    const forged = count(own.values(), isUnconfirmed)
    if (forged >= this.#limits.unconfirmed) return first(own.values(), isUnconfirmed)
    if (this.size < this.#total) return undefined
    let most = own
    for (const entries of this.#byAddress.values()) if (entries.size > most.size) most = entries
    if (most === own || most.size > own.size + 1) return oldestOf(most) ?? 'full'
    return first(this.values(), isUnconfirmed) ?? 'full'
  }

  add(entry: Entry): void {
    this.#entries.set(key(entry.address, entry.port), entry)
    const others = this.#byAddress.get(entry.address)
    if (others === undefined) this.#byAddress.set(entry.address, new Set([entry]))
    else others.add(entry)
  }

  /** Removes this very entry: another may have taken its place. */
  remove(entry: Entry): void {
    const name = key(entry.address, entry.port)
    if (this.#entries.get(name) === entry) this.#entries.delete(name)
    const others = this.#byAddress.get(entry.address)
    others?.delete(entry)
    if (others?.size === 0) this.#byAddress.delete(entry.address)
  }

  /** The system gave no descriptor for one more: for a while there are no more than there are. */
  shrink(nowMs: number): void {
    this.#shrunkMs = nowMs
    this.#total = Math.max(totalMin, Math.min(this.#total, this.size - spare))
  }
}

function isUnconfirmed(entry: TableEntry): boolean {
  return !entry.isConfirmed
}

function oldestOf<Entry extends TableEntry>(entries: ReadonlySet<Entry>): Entry | undefined {
  return first(entries.values(), isUnconfirmed) ?? first(entries.values(), () => true)
}

function first<Entry>(entries: Iterable<Entry>, isOne: (entry: Entry) => boolean): Entry | undefined {
  for (const entry of entries) if (isOne(entry)) return entry
  return undefined
}

function count<Entry>(entries: Iterable<Entry>, isOne: (entry: Entry) => boolean): number {
  let found = 0
  for (const entry of entries) if (isOne(entry)) found += 1
  return found
}

function key(address: string, port: number): string {
  return `${address} ${port}`
}
