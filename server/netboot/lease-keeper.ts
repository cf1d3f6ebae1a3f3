/**
 * Keeps the leases that DHCP gives: written as they come, and tried again while the database fails. DHCP itself waits for none of
 * it, its leases are in its memory.
 */
import type { Lease, LeaseChange } from '../../src/dhcp-lease.js'
import { DHCP_LEASES_MAX } from '../../src/limits.js'
import type { Failures } from '../process/failures.js'

/** Its name where it fails. */
const part = 'saving DHCP leases'

/** After a failure, milliseconds: doubles from the first to the last. */
const retryMs = { first: 500, last: 15_000 } as const

/** What the keeper is made of. */
export interface LeaseKeeperOptions {
  /** All that are stored. */
  readonly list: () => readonly Lease[]
  /** One transaction. */
  readonly save: (changes: readonly LeaseChange[]) => Promise<void>
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Told of each transaction. */
  readonly failures: Pick<Failures, 'failed' | 'worked'>
}

/** See the module. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  /** What is not stored yet, by address. */
  #unsaved = new Map<number, LeaseChange>()
  #saving: Promise<void> | undefined
  #callOff: (() => void) | undefined
  #retryMs = 0
  #isStopped = false

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
  }

  /** All leases as they are now, also those that could not be stored. */
  list(): Lease[] {
    const leases = new Map(this.#options.list().map((lease) => [lease.address, lease]))
    for (const { address, lease } of this.#unsaved.values()) {
      if (lease === undefined) leases.delete(address)
      else leases.set(address, lease)
    }
    return [...leases.values()]
  }

  keep(changes: readonly LeaseChange[]): void {
    for (const change of changes) {
      // Taken out and put in again: the oldest stands first.
      this.#unsaved.delete(change.address)
      this.#unsaved.set(change.address, change)
      if (this.#unsaved.size > DHCP_LEASES_MAX) {
        const [oldest] = this.#unsaved.keys()
        if (oldest !== undefined) this.#unsaved.delete(oldest)
      }
    }
    this.#next()
  }

  /** Writes the rest, once. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#callOff?.()
    await this.#saving
    if (this.#unsaved.size > 0 && this.#retryMs === 0) await this.#save()
  }

  #next(): void {
    const isBusy = this.#saving !== undefined || this.#callOff !== undefined
    if (isBusy || this.#isStopped || this.#unsaved.size === 0) return
    const save = () => {
      this.#callOff = undefined
      this.#saving = this.#save().finally(() => {
        this.#saving = undefined
        this.#next()
      })
    }
    if (this.#retryMs === 0) save()
    else this.#callOff = this.#options.after(this.#retryMs, save)
  }

  async #save(): Promise<void> {
    const { save, failures } = this.#options
    const changes = [...this.#unsaved.values()]
    try {
      await save(changes)
    } catch (error) {
      failures.failed(part, error)
      this.#retryMs = Math.min(retryMs.last, Math.max(retryMs.first, this.#retryMs * 2))
      return
    }
    // What has changed meanwhile is written next.
    for (const change of changes) {
      if (this.#unsaved.get(change.address) === change) this.#unsaved.delete(change.address)
    }
    failures.worked(part)
    this.#retryMs = 0
  }
}
