/**
 * What of the timeline is kept: so many events of each node, of machines that are no nodes and of the server, and none that
 * are too old, but for the newest boot of each node. Within the transactions that append. What operators did is bounded where it is
 * written (operators.ts), and stays whatever else comes.
 */

import type Sqlite from 'better-sqlite3'
import {
  EVENT_AGE_MAX_MS,
  EVENTS_OF_SERVER_MAX,
  EVENTS_OF_STRANGERS_MAX,
  EVENTS_PER_NODE_MAX,
  EVENTS_PER_UNKNOWN_NODE_MAX,
} from '../../src/limits.js'
import type { NewTimelineEvent } from './timeline.js'

/** What may be kept; smaller in tests. */
export interface TimelineBounds {
  readonly perNodeMax: number
  readonly perUnknownNodeMax: number
  readonly strangersMax: number
  readonly serverMax: number
  readonly ageMaxMs: number
  /** The looks that go beyond the nodes at hand come after so many events. */
  readonly sweepEvents: number
}

const defaults: TimelineBounds = {
  perNodeMax: EVENTS_PER_NODE_MAX,
  perUnknownNodeMax: EVENTS_PER_UNKNOWN_NODE_MAX,
  strangersMax: EVENTS_OF_STRANGERS_MAX,
  serverMax: EVENTS_OF_SERVER_MAX,
  ageMaxMs: EVENT_AGE_MAX_MS,
  sweepEvents: 1024,
}

/** Events whose age is looked at in one sweep: more than came since the last one. */
const agedRowsMax = 4096

/** Of the oldest events so many are looked through for those that may go. */
const oldestRowsMax = 16_384

/** It is of the newest boot of its node. */
const isNewestBoot =
  'EXISTS (SELECT 1 FROM nodes WHERE nodes.id = timeline.node AND nodes.boot = timeline.boot)'

/** Drops what is too much after these were appended. */
export function timelineTrimmer(
  db: Sqlite.Database,
  bounds: Partial<TimelineBounds> = {},
): (appended: readonly NewTimelineEvent[]) => void {
  const { perNodeMax, perUnknownNodeMax, ...rest } = { ...defaults, ...bounds }
  const { strangersMax, serverMax, ageMaxMs, sweepEvents } = rest
  const ofNode = db.prepare<{ node: string; known: number; unknown: number }>(
    `DELETE FROM timeline WHERE node = @node AND id <=
       (SELECT id FROM timeline WHERE node = @node ORDER BY id DESC LIMIT 1
        OFFSET iif((SELECT known FROM nodes WHERE id = @node), @known, @unknown))`,
  )
  const ofMachine = db.prepare<{ mac: string; max: number }>(
    `DELETE FROM timeline WHERE mac = @mac AND node IS NULL AND id <=
       (SELECT id FROM timeline WHERE mac = @mac AND node IS NULL ORDER BY id DESC LIMIT 1 OFFSET @max)`,
  )
  const ofStrangers = db.prepare<[number]>(overCount("node IS NULL AND source NOT IN ('server', 'operator')"))
  const ofServer = db.prepare<[number]>(overCount("node IS NULL AND source = 'server'"))
  const dropAged = agePruner(db)
  let sinceSweep = sweepEvents
  return (appended) => {
    for (const node of distinct(appended.map((event) => event.node))) {
      ofNode.run({ node, known: perNodeMax, unknown: perUnknownNodeMax })
    }
    for (const mac of distinct(appended.map((event) => event.mac))) {
      ofMachine.run({ mac, max: perUnknownNodeMax })
    }
    sinceSweep += appended.length
    const last = appended.at(-1)
    if (last === undefined || sinceSweep < sweepEvents) return
    sinceSweep = 0
    ofStrangers.run(strangersMax)
    ofServer.run(serverMax)
    dropAged(last.timeMs - ageMaxMs)
  }
}

/** Drops events of before a time, a part of the timeline at each call. */
function agePruner(db: Sqlite.Database): (beforeMs: number) => void {
  const oldest = db.prepare<[number, number], { id: number; timeMs: number; isKept: 0 | 1 }>(
    `SELECT id, time_ms AS timeMs, source = 'operator' OR ${isNewestBoot} AS isKept FROM timeline WHERE id > ? ORDER BY id LIMIT ?`,
  )
  const drop = db.prepare<[number]>('DELETE FROM timeline WHERE id = ?')
  let lookedUpTo = 0
  return (beforeMs) => {
    const rows = oldest.all(lookedUpTo, agedRowsMax)
    const end = rows.findIndex(({ timeMs }) => timeMs >= beforeMs)
    const aged = end < 0 ? rows : rows.slice(0, end)
    for (const { id, isKept } of aged) if (isKept === 0) drop.run(id)
    // At the first that is young enough it begins anew: what was of the newest boot may be no more.
    lookedUpTo = end < 0 ? (aged.at(-1)?.id ?? 0) : 0
  }
}

/** Drops the oldest events: those of strangers and unknown nodes first, those of newest boots last. Gives how many went. */
export function timelinePruner(db: Sqlite.Database): (count: number) => number {
  const oldest = (where: string) =>
    db.prepare<[number]>(
      `DELETE FROM timeline WHERE id IN
         (SELECT id FROM timeline WHERE ${where} ORDER BY id LIMIT ?)`,
    )
  const steps = [
    oldest("node IS NULL AND source NOT IN ('server', 'operator')"),
    oldest('node IN (SELECT id FROM nodes WHERE known = 0)'),
    oldest(
      `id <= (SELECT max(id) FROM (SELECT id FROM timeline WHERE source <> 'operator' ORDER BY id LIMIT ${oldestRowsMax}))
       AND source <> 'operator' AND NOT ${isNewestBoot}`,
    ),
    oldest("source <> 'operator'"),
  ]
  return (count) => {
    for (const step of steps) {
      const { changes } = step.run(count)
      if (changes > 0) return changes
    }
    return 0
  }
}

/** Those of a kind beyond the newest so many. The condition must be that of an index of the schema. */
function overCount(where: string): string {
  return `DELETE FROM timeline WHERE ${where} AND id <=
    (SELECT id FROM timeline WHERE ${where} ORDER BY id DESC LIMIT 1 OFFSET ?)`
}

function distinct(values: readonly (string | null)[]): Set<string> {
  return new Set(values.filter((value) => value !== null))
}
