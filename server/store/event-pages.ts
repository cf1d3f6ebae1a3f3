/** What agents reported, of the timeline, by rising ids, page by page, as operators read it. */

import type Sqlite from 'better-sqlite3'
import { guard } from './open.js'

/** A stored event with its place among all. */
export interface StoredEvent {
  /** Rises with each event, over restarts too; never given twice. */
  readonly id: number
  readonly node: string
  readonly boot: string
  /** The sender's count within the boot. */
  readonly seq: number
  /** Since the sender's start, milliseconds. */
  readonly tMs: number
  /** When the server had it, ms since 1970. */
  readonly receivedMs: number
  readonly type: string
  /** JSON. */
  readonly data: string
}

/** Reads pages; each has the oldest event first. */
export interface EventPages {
  /** The first after an id. */
  after(id: number, limit: number): StoredEvent[]
  /** The newest of all. */
  newest(limit: number): StoredEvent[]
  /** The first of a node after an id. */
  ofNodeAfter(node: string, id: number, limit: number): StoredEvent[]
  /** The newest of a node. */
  newestOfNode(node: string, limit: number): StoredEvent[]
  /** The newest id; 0 if there is none. */
  lastId(): number
}

const COLUMNS = 'id, node, boot, seq, sender_ms AS tMs, time_ms AS receivedMs, type, data'

/** Prepares the statements. */
export function eventPages(db: Sqlite.Database): EventPages {
  const newestFirst = (where: string) =>
    `SELECT * FROM (SELECT ${COLUMNS} FROM timeline WHERE seq IS NOT NULL ${where} ORDER BY id DESC LIMIT ?) ORDER BY id`
  const after = db.prepare<[number, number], StoredEvent>(
    `SELECT ${COLUMNS} FROM timeline WHERE id > ? AND seq IS NOT NULL ORDER BY id LIMIT ?`,
  )
  const newest = db.prepare<[number], StoredEvent>(newestFirst(''))
  const ofNodeAfter = db.prepare<[string, number, number], StoredEvent>(
    `SELECT ${COLUMNS} FROM timeline WHERE node = ? AND id > ? AND seq IS NOT NULL ORDER BY id LIMIT ?`,
  )
  const newestOfNode = db.prepare<[string, number], StoredEvent>(newestFirst('AND node = ?'))
  const lastId = db.prepare<[], { id: number | null }>('SELECT max(id) AS id FROM timeline')
  const read = <T>(run: () => T) => guard('reading events', run)
  return {
    after: (id, limit) => read(() => after.all(id, limit)),
    newest: (limit) => read(() => newest.all(limit)),
    ofNodeAfter: (node, id, limit) => read(() => ofNodeAfter.all(node, id, limit)),
    newestOfNode: (node, limit) => read(() => newestOfNode.all(node, limit)),
    lastId: () => read(() => lastId.get()?.id ?? 0),
  }
}
