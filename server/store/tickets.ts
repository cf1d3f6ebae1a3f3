/** The tickets of boot scripts that nobody has redeemed yet (their SHA-256, never they themselves), and the keys of nodes. */

import type Sqlite from 'better-sqlite3'
import type { NodeKey, Ticket, TicketChange } from '../../src/tickets.js'
import { guard } from './open.js'

/** Reads tickets and keys. */
export interface TicketTable {
  /** All tickets, also those that are over. */
  list(): Ticket[]
  keys(): NodeKey[]
}

/** Prepares the statements. */
export function ticketTable(db: Sqlite.Database): TicketTable {
  const list = db.prepare<[], Ticket>(
    'SELECT sha256, mac, node, address, issued_ms AS issuedMs, expires_ms AS expiresMs FROM tickets',
  )
  const keys = db.prepare<[], NodeKey>(
    `SELECT node, mac, key, ticket_sha256 AS ticketSha256, address, redeemed_ms AS redeemedMs, counter
     FROM node_keys`,
  )
  return {
    list: () => guard('reading the tickets', () => list.all()),
    keys: () => guard('reading the keys of nodes', () => keys.all()),
  }
}

/** Keeps and forgets within a transaction. Who keeps them bounds them (server/nodes). */
export function ticketWriter(db: Sqlite.Database): (changes: readonly TicketChange[]) => void {
  const putTicket = db.prepare<[Ticket]>(
    `INSERT OR REPLACE INTO tickets (sha256, mac, node, address, issued_ms, expires_ms)
     VALUES (@sha256, @mac, @node, @address, @issuedMs, @expiresMs)`,
  )
  const forgetTicket = db.prepare<[string]>('DELETE FROM tickets WHERE sha256 = ?')
  const putKey = db.prepare<[NodeKey]>(
    `INSERT OR REPLACE INTO node_keys (node, mac, key, ticket_sha256, address, redeemed_ms, counter)
     VALUES (@node, @mac, @key, @ticketSha256, @address, @redeemedMs, @counter)`,
  )
  const forgetKey = db.prepare<[string]>('DELETE FROM node_keys WHERE node = ?')
  return (changes) => {
    for (const change of changes) {
      if ('sha256' in change) {
        if (change.ticket === undefined) forgetTicket.run(change.sha256)
        else putTicket.run(change.ticket)
      } else if (change.key === undefined) forgetKey.run(change.node)
      else putKey.run(change.key)
    }
  }
}
