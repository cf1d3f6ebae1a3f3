/** The events of each node's boots: the newest so many of each node. */

import type Sqlite from 'better-sqlite3'
import type { BootEvent, BootEventType } from '../../src/events.js'
import { EVENTS_PER_NODE_MAX } from '../../src/limits.js'
import { guard } from './open.js'

/** A stored event. */
export type EventRecord = BootEvent & {
  readonly node: string
  /** When the server had it, ms since 1970. */
  readonly receivedMs: number
}

/** Access to the events. */
export interface EventTable {
  /**
   * Keeps events of a node that is known ({@link NodeTable.update} first). One that was kept already (same boot and
   * sequence: the agent repeats what was not acknowledged) is left as it is. Gives those that were new.
   */
  append(node: string, receivedMs: number, events: readonly BootEvent[]): BootEvent[]
  /** The newest of a node, oldest first. */
  ofNode(node: string, limit?: number): EventRecord[]
  /** All that are kept of one boot, in the agent's order. */
  ofBoot(node: string, boot: string): EventRecord[]
}

interface Row {
  node: string
  boot: string
  seq: number
  t_ms: number
  received_ms: number
  type: BootEventType
  data: string
}

/** Prepares the statements; `perNodeMax` bounds the events of a node. */
export function eventTable(db: Sqlite.Database, perNodeMax = EVENTS_PER_NODE_MAX): EventTable {
  const insert = db.prepare<[string, string, number, number, number, string, string]>(
    `INSERT INTO events (node, boot, seq, t_ms, received_ms, type, data) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  )
  const trim = db.prepare<[string, string, number]>(
    `DELETE FROM events WHERE node = ? AND id <=
       (SELECT id FROM events WHERE node = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  )
  const ofNode = db.prepare<[string, number], Row>(
    'SELECT * FROM (SELECT * FROM events WHERE node = ? ORDER BY id DESC LIMIT ?) ORDER BY id',
  )
  const ofBoot = db.prepare<[string, string], Row>(
    'SELECT * FROM events WHERE node = ? AND boot = ? ORDER BY seq',
  )
  const append = db.transaction((node: string, receivedMs: number, events: readonly BootEvent[]) => {
    const added = events.filter(
      (e) => insert.run(node, e.boot, e.seq, e.t_ms, receivedMs, e.type, JSON.stringify(e.data)).changes > 0,
    )
    if (added.length > 0) trim.run(node, node, perNodeMax)
    return added
  })
  return {
    append: (node, receivedMs, events) =>
      guard('writing events', () => append.immediate(node, receivedMs, events)),
    ofNode: (node, limit = perNodeMax) => guard('reading events', () => ofNode.all(node, limit).map(record)),
    ofBoot: (node, boot) => guard('reading events', () => ofBoot.all(node, boot).map(record)),
  }
}

function record(row: Row): EventRecord {
  const { node, boot, seq, t_ms, received_ms: receivedMs, type } = row
  // What is in the table went through parseEvents before.
  return { node, boot, seq, t_ms, receivedMs, type, data: JSON.parse(row.data) } as EventRecord
}
