/** The catalog's versions: numbers that only grow, each with its whole content. */

import type Sqlite from 'better-sqlite3'
import { durably, guard } from './open.js'

/** One version. */
export interface VersionRecord {
  readonly number: number
  readonly createdMs: number
  /** What the catalog wrote: JSON. */
  readonly content: string
}

/** Access to the versions. */
export interface VersionTable {
  /**
   * Writes a new version and gives its number: one more than any before, also than removed ones.
   * On the disk when it returns: no number is ever given twice.
   */
  publish(content: string, createdMs: number): number
  /** All that are kept, newest first. */
  list(): VersionRecord[]
  /** Removes all but the newest `keep` and those in `inUse`. Gives the numbers that went. */
  prune(keep: number, inUse?: readonly number[]): number[]
}

const COLUMNS = 'number, created_ms AS createdMs, content'

/** Prepares the statements. */
export function versionTable(db: Sqlite.Database): VersionTable {
  const insert = db.prepare<[number, string]>('INSERT INTO versions (created_ms, content) VALUES (?, ?)')
  const list = db.prepare<[], VersionRecord>(`SELECT ${COLUMNS} FROM versions ORDER BY number DESC`)
  const prune = db.prepare<[string, number], { number: number }>(
    `DELETE FROM versions
     WHERE number NOT IN (SELECT value FROM json_each(?))
       AND number NOT IN (SELECT number FROM versions ORDER BY number DESC LIMIT ?)
     RETURNING number`,
  )
  return {
    publish: (content, createdMs) =>
      guard('publishing a version', () =>
        durably(db, () => Number(insert.run(createdMs, content).lastInsertRowid)),
      ),
    list: () => guard('reading the versions', () => list.all()),
    prune: (keep, inUse = []) =>
      guard('pruning the versions', () =>
        prune
          .all(JSON.stringify(inUse), keep)
          .map((row) => row.number)
          .sort((a, b) => a - b),
      ),
  }
}
