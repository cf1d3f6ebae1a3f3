/**
 * The timeline: one row for each event. Rows are only ever appended; all that changes in one later is whose it is, when a
 * machine turns out to be a node and its agent names the boot.
 */

import type Sqlite from 'better-sqlite3'
import { type AgentEvent, isBootEventType } from '../../src/events.js'
import { inventoryType, storedInventory } from '../../src/inventory.js'
import { TIMELINE_READ_MAX } from '../../src/limits.js'
import type { EventSource, TimelineEvent, TimelineReader } from '../../src/timeline.js'
import { guard } from './open.js'
import { type StoredMachine, storedMachines } from './timeline-machines.js'

/** An event to store. */
export interface NewTimelineEvent {
  readonly timeMs: number
  readonly source: EventSource
  readonly type: string
  readonly mac: string | null
  /** Of one without a row nothing an agent said is stored, and other events are stored without it. */
  readonly node: string | null
  readonly boot: string | null
  /** Of an agent's event: its place in the boot, and the agent's clock. */
  readonly seq: number | null
  readonly senderMs: number | null
  /** JSON. */
  readonly data: string
  /** The boot that the machine had until this event named it; its events are this node's and boot's from now on. */
  readonly before: string | null
}

/** What an agent reported, and when the server had it, milliseconds since 1970. */
export type StoredReport = AgentEvent & { readonly receivedMs: number }

/** Reads the timeline. */
export interface TimelineTable extends TimelineReader {
  /** A boot of a node. */
  bootOfNode(node: string, boot: string): TimelineEvent[]
  /** A boot of a machine. */
  bootOfMachine(mac: string, boot: string): TimelineEvent[]
  /** Machines that were heard of, longest silent first: those of nodes, and so many others. */
  machines(othersMax: number): StoredMachine[]
  /** What the agent reported of one boot, in its order. */
  reports(node: string, boot: string): StoredReport[]
}

/** A row as it is read. */
export interface TimelineRow {
  id: number
  time_ms: number
  sender_ms: number | null
  mac: string | null
  node: string | null
  boot: string | null
  source: EventSource
  type: string
  data: string
}

interface ReportRow {
  boot: string
  seq: number
  sender_ms: number
  time_ms: number
  type: string
  data: string
}

/** The columns of a {@link TimelineRow}. */
export const columns = 'id, time_ms, sender_ms, mac, node, boot, source, type, data'

/** Prepares the statements. */
export function timelineTable(db: Sqlite.Database): TimelineTable {
  const after = db.prepare<[number, number], TimelineRow>(
    `SELECT ${columns} FROM timeline WHERE id > ? ORDER BY id LIMIT ?`,
  )
  const newest = (where: string) =>
    db.prepare<[string, number], TimelineRow>(
      `SELECT * FROM (SELECT ${columns} FROM timeline WHERE ${where} ORDER BY id DESC LIMIT ?) ORDER BY id`,
    )
  const [ofNode, ofBoot, ofMac] = [newest('node = ?'), newest('boot = ?'), newest('mac = ?')]
  const bootBy = (index: string, column: string) =>
    db.prepare<[string, string, number], TimelineRow>(
      `SELECT * FROM (SELECT ${columns} FROM timeline INDEXED BY ${index} WHERE ${column} = ? AND boot = ?
       ORDER BY id DESC LIMIT ?) ORDER BY id`,
    )
  const bootOfNode = bootBy('timeline_boot', 'node')
  const bootOfMachine = bootBy('timeline_mac', 'mac')
  const machines = storedMachines(db)
  const reports = db.prepare<[string, string], ReportRow>(
    `SELECT boot, seq, sender_ms, time_ms, type, data FROM timeline
     WHERE boot = ? AND node = ? AND seq IS NOT NULL ORDER BY seq`,
  )
  const read = (run: (limit: number) => TimelineRow[], limit = TIMELINE_READ_MAX) =>
    guard('reading the timeline', () => run(Math.min(limit, TIMELINE_READ_MAX)).map(eventOf))
  return {
    after: (id, limit) => read((max) => after.all(id, max), limit),
    ofNode: (node, limit) => read((max) => ofNode.all(node, max), limit),
    ofBoot: (boot, limit) => read((max) => ofBoot.all(boot, max), limit),
    ofMac: (mac, limit) => read((max) => ofMac.all(mac, max), limit),
    bootOfNode: (node, boot) => read((max) => bootOfNode.all(node, boot, max)),
    bootOfMachine: (mac, boot) => read((max) => bootOfMachine.all(mac, boot, max)),
    machines: (othersMax) => guard('reading machines', () => machines(othersMax)),
    reports: (node, boot) => guard('reading reports', () => reports.all(boot, node).map(reportOf)),
  }
}

/**
 * Adds events within a transaction. An agent's that was kept already (same boot and sequence: it repeats what was not
 * acknowledged) is left as it is. A new inventory is the node's from now on.
 */
export function timelineAppender(db: Sqlite.Database): (events: readonly NewTimelineEvent[]) => void {
  const written = 'time_ms, sender_ms, mac, node, boot, seq, source, type, data'
  const report = db.prepare<[NewTimelineEvent]>(
    `INSERT INTO timeline (${written})
     SELECT @timeMs, @senderMs, @mac, @node, @boot, @seq, @source, @type, @data
     WHERE EXISTS (SELECT 1 FROM nodes WHERE id = @node) ON CONFLICT DO NOTHING`,
  )
  const inventory = db.prepare<[NewTimelineEvent]>(
    `INSERT INTO node_inventories (node, data) VALUES (@node, @data)
     ON CONFLICT (node) DO UPDATE SET data = @data`,
  )
  const fact = db.prepare<[NewTimelineEvent]>(
    `INSERT INTO timeline (${written})
     VALUES (@timeMs, @senderMs, @mac, (SELECT id FROM nodes WHERE id = @node), @boot, @seq, @source, @type, @data)`,
  )
  const identifyBoot = db.prepare<[NewTimelineEvent]>(
    'UPDATE timeline SET boot = @boot WHERE mac = @mac AND boot = @before',
  )
  const identifyMachine = db.prepare<[NewTimelineEvent]>(
    `UPDATE timeline SET node = @node
     WHERE mac = @mac AND node IS NULL AND EXISTS (SELECT 1 FROM nodes WHERE id = @node)`,
  )
  return (events) => {
    for (const event of events) {
      if (event.before !== null) {
        identifyBoot.run(event)
        identifyMachine.run(event)
      }
      if (event.seq === null) fact.run(event)
      else if (report.run(event).changes > 0 && event.type === inventoryType) inventory.run(event)
    }
  }
}

/** The event of a row. One step for each member: lists of nodes read tens of thousands. */
export function eventOf(row: TimelineRow): TimelineEvent {
  const event: { -readonly [Member in keyof TimelineEvent]: TimelineEvent[Member] } = {
    id: row.id,
    timeMs: row.time_ms,
    source: row.source,
    type: row.type,
    data: JSON.parse(row.data) as TimelineEvent['data'],
  }
  if (row.sender_ms !== null) event.senderMs = row.sender_ms
  if (row.mac !== null) event.mac = row.mac
  if (row.node !== null) event.node = row.node
  if (row.boot !== null) event.boot = row.boot
  return event
}

/** What is in the table went through parseEvents before, of this release or another one. */
function reportOf(row: ReportRow): StoredReport {
  const { boot, seq, sender_ms: t_ms, time_ms: receivedMs, type } = row
  const data = JSON.parse(row.data) as Record<string, unknown>
  const frame = { boot, seq, t_ms, receivedMs, data }
  if (type === inventoryType) {
    const inventory = storedInventory(data)
    if (inventory !== undefined) return { ...frame, type, data: inventory }
  }
  if (isBootEventType(type)) return { ...frame, type } as unknown as StoredReport
  return { ...frame, type: 'unknown', name: type }
}
