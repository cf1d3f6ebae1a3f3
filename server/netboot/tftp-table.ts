/**
 * The transfers that run, and which one makes room for another. No I/O.
 */
import { TFTP_TRANSFERS_MAX, TFTP_TRANSFERS_PER_CLIENT_MAX } from '../../src/limits.js'

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
  readonly perClient: number
}

/** All transfers, by address and port of their clients. */
export class TransferTable<Entry extends TableEntry> {
  readonly #entries = new Map<string, Entry>()
  readonly #limits: TableLimits

  constructor(limits: TableLimits = { total: TFTP_TRANSFERS_MAX, perClient: TFTP_TRANSFERS_PER_CLIENT_MAX }) {
    this.#limits = limits
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
   * Which transfer must end before this client gets another; `full` if none may be given up. A client's own oldest
   * is most likely from before it was switched off and on. Of strangers only those that never answered make room.
   */
  roomFor(address: string): Entry | undefined | 'full' {
    const own = [...this.values()].filter((entry) => entry.address === address)
    if (own.length >= this.#limits.perClient) return own.find((entry) => !entry.isConfirmed) ?? own[0]
    if (this.size < this.#limits.total) return undefined
    for (const entry of this.values()) if (!entry.isConfirmed) return entry
    return 'full'
  }

  add(entry: Entry): void {
    this.#entries.set(key(entry.address, entry.port), entry)
  }

  /** Removes this very entry: another may have taken its place. */
  remove(entry: Entry): void {
    const name = key(entry.address, entry.port)
    if (this.#entries.get(name) === entry) this.#entries.delete(name)
  }
}

function key(address: string, port: number): string {
  return `${address} ${port}`
}
