/** The DHCP leases of mode full, one row for each address. */

import type Sqlite from 'better-sqlite3'
import type { Lease, LeaseChange } from '../../src/dhcp-lease.js'
import { DHCP_LEASES_MAX } from '../../src/limits.js'
import { guard } from './open.js'

/** A row: both are empty where no relay saw the machine. */
interface Row extends Omit<Lease, 'relayPort'> {
  readonly circuitId: string
  readonly remoteId: string
}

/** Reads the leases. */
export interface LeaseTable {
  /** All, by address; also those that are over. */
  list(): Lease[]
}

/** Prepares the statements. */
export function leaseTable(db: Sqlite.Database): LeaseTable {
  const list = db.prepare<[], Row>(
    `SELECT address, mac, expires_ms AS expiresMs, circuit_id AS circuitId, remote_id AS remoteId
     FROM leases ORDER BY address`,
  )
  return { list: () => guard('reading the leases', () => list.all().map(leaseOf)) }
}

/** Keeps and forgets within a transaction; `leasesMax` bounds the table: those that ended first go first. */
export function leaseWriter(
  db: Sqlite.Database,
  leasesMax = DHCP_LEASES_MAX,
): (changes: readonly LeaseChange[]) => void {
  const put = db.prepare<[Row]>(
    `INSERT INTO leases (address, mac, expires_ms, circuit_id, remote_id)
     VALUES (@address, @mac, @expiresMs, @circuitId, @remoteId)
     ON CONFLICT (address) DO UPDATE SET mac = excluded.mac, expires_ms = excluded.expires_ms,
       circuit_id = excluded.circuit_id, remote_id = excluded.remote_id`,
  )
  const forget = db.prepare<[number]>('DELETE FROM leases WHERE address = ?')
  const total = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM leases')
  const evict = db.prepare<[number]>(
    'DELETE FROM leases WHERE address IN (SELECT address FROM leases ORDER BY expires_ms, address LIMIT ?)',
  )
  return (changes) => {
    for (const { address, lease } of changes) {
      if (lease === undefined) forget.run(address)
      else put.run(rowOf(lease))
    }
    const over = (total.get()?.n ?? 0) - leasesMax
    if (over > 0) evict.run(over)
  }
}

function rowOf({ address, mac, expiresMs, relayPort }: Lease): Row {
  const { circuitId, remoteId } = relayPort ?? { circuitId: '', remoteId: '' }
  return { address, mac, expiresMs, circuitId, remoteId }
}

function leaseOf({ address, mac, expiresMs, circuitId, remoteId }: Row): Lease {
  const relayPort = circuitId === '' && remoteId === '' ? {} : { relayPort: { circuitId, remoteId } }
  return { address, mac, expiresMs, ...relayPort }
}
