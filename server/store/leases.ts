/** The DHCP leases of mode full, one row for each address. */

import type Sqlite from 'better-sqlite3'
import { DHCP_LEASES_MAX } from '../../src/limits.js'
import { guard } from './open.js'

/** A stored lease. */
export interface LeaseRecord {
  /** IPv4 address as a number. */
  readonly address: number
  /** `aa:bb:cc:dd:ee:ff` */
  readonly mac: string
  /** Since 1970; it may be over. */
  readonly expiresMs: number
  /** Where a relay saw the machine (option 82): hex digits, empty if unknown. */
  readonly circuitId: string
  readonly remoteId: string
}

/** Access to the leases. */
export interface LeaseTable {
  /** Keeps and forgets, all in one transaction. */
  change(put: readonly LeaseRecord[], forget: readonly number[]): void
  /** All, by address. */
  list(): LeaseRecord[]
}

/** Prepares the statements; `leasesMax` bounds the table: those that ended first go first. */
export function leaseTable(db: Sqlite.Database, leasesMax = DHCP_LEASES_MAX): LeaseTable {
  const put = db.prepare<[LeaseRecord]>(
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
  const list = db.prepare<[], LeaseRecord>(
    `SELECT address, mac, expires_ms AS expiresMs, circuit_id AS circuitId, remote_id AS remoteId
     FROM leases ORDER BY address`,
  )
  const change = db.transaction((records: readonly LeaseRecord[], addresses: readonly number[]) => {
    for (const address of addresses) forget.run(address)
    for (const record of records) put.run(record)
    const over = (total.get()?.n ?? 0) - leasesMax
    if (over > 0) evict.run(over)
  })
  return {
    change: (records, addresses) => guard('writing leases', () => change.immediate(records, addresses)),
    list: () => guard('reading the leases', () => list.all()),
  }
}
