/** The nodes that are remembered, one row each. Which those are is decided by nodes/inventory.ts. */

import type Sqlite from 'better-sqlite3'
import { guard } from './open.js'

/**
 * What a restart has to know of a node's state (nodes/state.ts has all of them): heard of, on its way, up or failed.
 * `stopped` was written by earlier servers only.
 */
export type StoredState = 'seen' | 'booting' | 'booted' | 'failed' | 'stopped'

/** One node. */
export interface NodeRow {
  readonly id: string
  readonly firstSeenMs: number
  readonly lastSeenMs: number
  readonly address: string
  readonly rack: string
  readonly state: StoredState
  /** The catalog version of its last boot. */
  readonly version: number | null
  /** Its last boot: 16 hex digits. */
  readonly boot: string | null
  /** It has booted, or the configuration names it. */
  readonly isKnown: boolean
}

/** Reads the nodes. */
export interface NodeTable {
  /** All, by identity. */
  list(): NodeRow[]
  /** What the machine of one is, as it was last reported; undefined: never. */
  inventory(id: string): unknown
}

type Stored = Omit<NodeRow, 'isKnown'> & { known: number }

/** Prepares the statements. */
export function nodeTable(db: Sqlite.Database): NodeTable {
  const list = db.prepare<[], Stored>(
    `SELECT id, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs, address, rack, state, version, boot, known
     FROM nodes ORDER BY id`,
  )
  const inventory = db.prepare<[string], { data: string }>('SELECT data FROM node_inventories WHERE node = ?')
  return {
    inventory: (id) =>
      guard('reading an inventory', () => {
        const row = inventory.get(id)
        return row === undefined ? undefined : (JSON.parse(row.data) as unknown)
      }),
    list: () =>
      guard('reading the nodes', () =>
        list.all().map(({ known, ...row }) => ({ ...row, isKnown: known !== 0 })),
      ),
  }
}

/**
 * Makes or changes rows, and takes away others with their events, within a transaction. Of a MAC that is no node the events go.
 */
export function nodeWriter(db: Sqlite.Database): {
  put(nodes: readonly NodeRow[]): void
  forget(ids: readonly string[]): void
} {
  const put = db.prepare<[Stored]>(
    `INSERT INTO nodes (id, first_seen_ms, last_seen_ms, address, rack, state, version, boot, known)
     VALUES (@id, @firstSeenMs, @lastSeenMs, @address, @rack, @state, @version, @boot, @known)
     ON CONFLICT (id) DO UPDATE SET first_seen_ms = @firstSeenMs, last_seen_ms = @lastSeenMs, address = @address,
       rack = @rack, state = @state, version = @version, boot = @boot, known = @known`,
  )
  const forget = db.prepare<[string]>('DELETE FROM nodes WHERE id = ?')
  const forgetMachine = db.prepare<[string]>('DELETE FROM timeline WHERE mac = ? AND node IS NULL')
  return {
    put: (nodes) => {
      for (const { isKnown, ...node } of nodes) put.run({ ...node, known: isKnown ? 1 : 0 })
    },
    forget: (ids) => {
      for (const id of ids) {
        forget.run(id)
        forgetMachine.run(id)
      }
    },
  }
}
