/**
 * Saves the leases of DHCP. What the database refuses (a full disk, no descriptor) is held, at most one change for each
 * address, and saved later: DHCP does not wait, and a process that is started again has it all the same.
 */
import type { Lease, LeaseChange } from '../../src/dhcp-lease.js'
import type { Failures } from '../process/failures.js'
import { backoffMs } from '../process/recurring.js'

const part = 'saving DHCP leases'
/** The first wait after a failure, milliseconds. */
const againMs = 1000

/** Where leases are saved. */
export interface LeaseStore {
  change(changes: readonly LeaseChange[]): void
  list(): Lease[]
}

/** Keeps the leases of one server. */
export class LeaseKeeper {
  readonly #store: LeaseStore
  readonly #failures: Failures
  /** What is not saved yet, by address. */
  readonly #unsaved = new Map<number, LeaseChange>()
  #waiting: NodeJS.Timeout | undefined

  constructor(store: LeaseStore, failures: Failures) {
    this.#store = store
    this.#failures = failures
  }

  keep(changes: readonly LeaseChange[]): void {
    for (const change of changes) {
      this.#unsaved.delete(change.address)
      this.#unsaved.set(change.address, change)
    }
    if (this.#waiting === undefined) this.#save()
  }

  /**
   * All of them, also those that could not be saved yet.
   *
   * @throws BootswarmError what the database says
   */
  list(): Lease[] {
    const leases = new Map(this.#store.list().map((lease) => [lease.address, lease]))
    for (const { address, lease } of this.#unsaved.values()) {
      if (lease === undefined) leases.delete(address)
      else leases.set(address, lease)
    }
    return [...leases.values()]
  }

  /** Saves the rest, if it can be. */
  stop(): void {
    clearTimeout(this.#waiting)
    if (this.#unsaved.size > 0) this.#save()
    clearTimeout(this.#waiting)
  }

  #save(): void {
    this.#waiting = undefined
    try {
      this.#store.change([...this.#unsaved.values()])
      this.#unsaved.clear()
      this.#failures.worked(part)
    } catch (error) {
      const waitMs = backoffMs(againMs, this.#failures.failed(part, error))
      this.#waiting = setTimeout(() => this.#save(), waitMs).unref()
    }
  }
}
