/** Converts leases between the store's form and DHCP's. */

import type { LeaseRecord, LeaseTable } from '../store/leases.js'
import type { Lease } from './dhcp/types.js'
import type { LeaseChange } from './messages.js'
import type { NetbootOptions } from './netboot.js'

/** Reads and stores leases; errors of the database are logged, and the leases stay in memory. */
export function leaseRecords(table: LeaseTable, onError: (error: unknown) => void): NetbootOptions['leases'] {
  return {
    list: () => table.list().map(leaseOf),
    keep: (changes: readonly LeaseChange[]) => {
      const put = changes.flatMap(({ lease }) => (lease === undefined ? [] : [recordOf(lease)]))
      const forget = changes.flatMap(({ address, lease }) => (lease === undefined ? [address] : []))
      try {
        table.change(put, forget)
      } catch (error) {
        onError(error)
      }
    },
  }
}

function leaseOf({ address, mac, expiresMs, circuitId, remoteId }: LeaseRecord): Lease {
  const relayPort = circuitId === '' && remoteId === '' ? {} : { relayPort: { circuitId, remoteId } }
  return { address, mac, expiresMs, ...relayPort }
}

function recordOf({ address, mac, expiresMs, relayPort }: Lease): LeaseRecord {
  const { circuitId, remoteId } = relayPort ?? { circuitId: '', remoteId: '' }
  return { address, mac, expiresMs, circuitId, remoteId }
}
