/** The events of each node's boots: the newest so many of each node. */

import type Sqlite from 'better-sqlite3'
import type { BootEvent, BootEventType } from '../../src/events.js'
import { EVENTS_PER_NODE_MAX, EVENTS_PER_UNKNOWN_NODE_MAX } from '../../src/limits.js'
import { guard } from './open.js'

/** A stored event. */
export type EventRecord = BootEvent & {
  readonly node: string
  /** When the server had it, ms since 1970. */
  readonly receivedMs: number
}

/** An event to store. */
export interface NewEvent extends Pick<BootEvent, 'boot' | 'seq' | 't_ms' | 'type'> {
  readonly node: string
  readonly receivedMs: number
  /** The event's data as JSON. */
  readonly data: string
}

/** Reads the events. */
export interface EventTable {
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

/** Prepares the statements. */
export function eventTable(db: Sqlite.Database): EventTable {
  const ofNode = db.prepare<[string, number], Row>(
    'SELECT * FROM (SELECT * FROM events WHERE node = ? ORDER BY id DESC LIMIT ?) ORDER BY id',
  )
  const ofBoot = db.prepare<[string, string], Row>(
    'SELECT * FROM events WHERE node = ? AND boot = ? ORDER BY seq',
  )
  return {
    ofNode: (node, limit = EVENTS_PER_NODE_MAX) =>
      guard('reading events', () => ofNode.all(node, limit).map(record)),
    ofBoot: (node, boot) => guard('reading events', () => ofBoot.all(node, boot).map(record)),
  }
}

/**
 * Adds events within a transaction, and drops the oldest of the nodes that have too many. One that was kept already (same
 * boot and sequence: an agent repeats what was not acknowledged) is left as it is, one of a node without a row is left out.
 */
export function eventAppender(db: Sqlite.Database): (events: readonly NewEvent[]) => void {
  const insert = db.prepare<[NewEvent]>(
    `INSERT INTO events (node, boot, seq, t_ms, received_ms, type, data)
     SELECT @node, @boot, @seq, @t_ms, @receivedMs, @type, @data WHERE EXISTS (SELECT 1 FROM nodes WHERE id = @node)
     ON CONFLICT DO NOTHING`,
  )
  const trim = db.prepare<{ node: string; known: number; unknown: number }>(
    `DELETE FROM events WHERE node = @node AND id <=
       (SELECT id FROM events WHERE node = @node ORDER BY id DESC LIMIT 1
        OFFSET iif((SELECT known FROM nodes WHERE id = @node), @known, @unknown))`,
  )
  return (events) => {
    for (const event of events) insert.run(event)
    for (const node of new Set(events.map((event) => event.node))) {
      trim.run({ node, known: EVENTS_PER_NODE_MAX, unknown: EVENTS_PER_UNKNOWN_NODE_MAX })
    }
  }
}

/** Drops the oldest events, those of unknown nodes first. Gives how many went. */
export function eventPruner(db: Sqlite.Database): (count: number) => number {
  const ofUnknown = db.prepare<[number]>(
    `DELETE FROM events WHERE id IN
       (SELECT id FROM events WHERE node IN (SELECT id FROM nodes WHERE known = 0) ORDER BY id LIMIT ?)`,
  )
  const ofAll = db.prepare<[number]>(
    'DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?)',
  )
  return (count) => {
    const { changes } = ofUnknown.run(count)
    return changes > 0 ? changes : ofAll.run(count).changes
  }
}

function record(row: Row): EventRecord {
  const { node, boot, seq, t_ms, received_ms: receivedMs, type } = row
  // What is in the table went through parseEvents before.
  return { node, boot, seq, t_ms, receivedMs, type, data: JSON.parse(row.data) } as EventRecord
}
