/** The tickets of boot scripts that nobody has redeemed yet: their SHA-256, never they themselves. */

import type Sqlite from 'better-sqlite3'
import type { Ticket, TicketChange } from '../../src/tickets.js'
import { guard } from './open.js'

/** Reads the tickets. */
export interface TicketTable {
  /** All, also those that are over. */
  list(): Ticket[]
}

/** Prepares the statements. */
export function ticketTable(db: Sqlite.Database): TicketTable {
  const list = db.prepare<[], Ticket>(
    'SELECT sha256, mac, node, owner, issued_ms AS issuedMs, expires_ms AS expiresMs FROM tickets',
  )
  return { list: () => guard('reading the tickets', () => list.all()) }
}

/** Keeps and forgets within a transaction. Who keeps them bounds them (nodes/tickets.ts). */
export function ticketWriter(db: Sqlite.Database): (changes: readonly TicketChange[]) => void {
  const put = db.prepare<[Ticket]>(
    `INSERT OR REPLACE INTO tickets (sha256, mac, node, owner, issued_ms, expires_ms)
     VALUES (@sha256, @mac, @node, @owner, @issuedMs, @expiresMs)`,
  )
  const forget = db.prepare<[string]>('DELETE FROM tickets WHERE sha256 = ?')
  return (changes) => {
    for (const { sha256, ticket } of changes) {
      if (ticket === undefined) forget.run(sha256)
      else put.run(ticket)
    }
  }
}
