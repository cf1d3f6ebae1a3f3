/** Keeps the leases that DHCP gives. DHCP itself waits for none of it, its leases are in its memory. */
import type { Lease, LeaseChange } from '../../src/dhcp-lease.js'
import { DHCP_LEASES_MAX } from '../../src/limits.js'
import { WriteBehind, type WriteBehindOptions } from '../process/write-behind.js'

/** What the keeper is made of. */
export interface LeaseKeeperOptions
  extends Pick<WriteBehindOptions<LeaseChange>, 'save' | 'after' | 'failures'> {
  /** All that are stored. */
  readonly list: () => readonly Lease[]
}

/** See the module. */
export class LeaseKeeper {
  readonly #list: () => readonly Lease[]
  readonly #changes: WriteBehind<LeaseChange>

  constructor({ list, ...options }: LeaseKeeperOptions) {
    this.#list = list
    this.#changes = new WriteBehind({
      ...{ part: 'saving DHCP leases', max: DHCP_LEASES_MAX, keyOf: ({ address }) => address },
      ...options,
    })
  }

  /** All leases as they are now, also those that could not be stored. */
  list(): Lease[] {
    const leases = new Map(this.#list().map((lease) => [lease.address, lease]))
    for (const { address, lease } of this.#changes.unsaved()) {
      if (lease === undefined) leases.delete(address)
      else leases.set(address, lease)
    }
    return [...leases.values()]
  }

  keep(changes: readonly LeaseChange[]): void {
    this.#changes.keep(changes)
  }

  /** Writes the rest, once. */
  stop(): Promise<void> {
    return this.#changes.stop()
  }
}
