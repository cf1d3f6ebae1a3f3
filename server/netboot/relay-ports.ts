/** Where relays saw each machine (DHCP option 82): how a rack is known whose nodes share their subnet with others. */

import type { RelayPort } from '../../src/dhcp-lease.js'
import { NODES_MAX } from '../../src/limits.js'
import { relayIds } from './dhcp/message.js'

/** The last place of each machine, bounded: those not seen for longest go first. */
export class RelayPorts {
  readonly #idsOf = new Map<string, readonly string[]>()

  /** Notes where a machine is; what says nothing is left out. */
  note(mac: string, relayPort: RelayPort): void {
    const ids = relayIds(relayPort)
    if (ids.length === 0) return
    this.#idsOf.delete(mac)
    this.#idsOf.set(mac, ids)
    if (this.#idsOf.size <= NODES_MAX) return
    for (const oldest of this.#idsOf.keys()) {
      this.#idsOf.delete(oldest)
      break
    }
  }

  /** Circuit and remote identity of a machine, as `racks.relay_ids` writes them; none for one that was never seen. */
  idsOf(mac: string): readonly string[] {
    return this.#idsOf.get(mac) ?? []
  }
}
