/** Every node that was ever seen, one row each, bounded. */

import type Sqlite from 'better-sqlite3'
import { NODES_MAX } from '../../src/limits.js'
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
}

/** What is new of a node; what is left out stays. */
export interface NodeUpdate {
  readonly id: string
  readonly nowMs: number
  readonly address?: string
  readonly rack?: string
  readonly state?: StoredState
  readonly version?: number | null
  readonly boot?: string | null
}

/** Access to the nodes. */
export interface NodeTable {
  /** Makes or changes a node and sets when it was last seen. */
  update(update: NodeUpdate): void
  /** All, by identity. */
  list(): NodeRow[]
}

const COLUMNS = `id, first_seen_ms AS firstSeenMs, last_seen_ms AS lastSeenMs, address, rack, state, version, boot`

interface Values {
  id: string
  now: number
  address: string | null
  rack: string | null
  state: string | null
  version: number | null
  setVersion: number
  boot: string | null
  setBoot: number
}

/** Prepares the statements; `nodesMax` bounds the table. */
export function nodeTable(db: Sqlite.Database, nodesMax = NODES_MAX): NodeTable {
  const upsert = db.prepare<[Values]>(
    `INSERT INTO nodes (id, first_seen_ms, last_seen_ms, address, rack, state, version, boot)
     VALUES (@id, @now, @now, coalesce(@address, ''), coalesce(@rack, ''), coalesce(@state, 'seen'), @version, @boot)
     ON CONFLICT (id) DO UPDATE SET
       last_seen_ms = max(last_seen_ms, @now),
       address = coalesce(@address, address),
       rack = coalesce(@rack, rack),
       state = coalesce(@state, state),
       version = iif(@setVersion, @version, version),
       boot = iif(@setBoot, @boot, boot)`,
  )
  const list = db.prepare<[], NodeRow>(`SELECT ${COLUMNS} FROM nodes ORDER BY id`)
  const total = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM nodes')
  const evict = db.prepare<[number]>(
    'DELETE FROM nodes WHERE id IN (SELECT id FROM nodes ORDER BY last_seen_ms, id LIMIT ?)',
  )
  const update = db.transaction((values: Values) => {
    upsert.run(values)
    const over = (total.get()?.n ?? 0) - nodesMax
    if (over > 0) evict.run(over)
  })
  return {
    update: (u) =>
      guard('writing a node', () => {
        update.immediate({
          id: u.id,
          now: u.nowMs,
          address: u.address ?? null,
          rack: u.rack ?? null,
          state: u.state ?? null,
          version: u.version ?? null,
          setVersion: u.version === undefined ? 0 : 1,
          boot: u.boot ?? null,
          setBoot: u.boot === undefined ? 0 : 1,
        })
      }),
    list: () => guard('reading the nodes', () => list.all()),
  }
}
