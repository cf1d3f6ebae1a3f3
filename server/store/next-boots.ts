/** What nodes boot once, and whether a boot has taken it. Operators set it: operators.ts writes that, with its line of the audit trail. */

import type Sqlite from 'better-sqlite3'
import { guard } from './open.js'

/** One of them. */
export interface NextBootRow {
  readonly node: string
  /** JSON. */
  readonly content: string
  /** When it was set, milliseconds since 1970. */
  readonly setMs: number
  /** The boot that took it, which may be empty; null: it waits. */
  readonly boot: string | null
}

/** How far one has come: a boot of null says that it is used up. */
export type NextBootJob = Omit<NextBootRow, 'content'>

/** Reads them. */
export interface NextBootTable {
  list(): NextBootRow[]
}

/** Prepares the statement. */
export function nextBootTable(db: Sqlite.Database): NextBootTable {
  const rows = db.prepare<[], NextBootRow>(
    'SELECT node, content, set_ms AS setMs, boot FROM next_boots ORDER BY node',
  )
  return { list: () => guard('reading the next boots', () => rows.all()) }
}

/** Writes how far one has come, unless an operator has set another one since; within a transaction. */
export function nextBootWriter(db: Sqlite.Database): (job: NextBootJob) => void {
  const take = db.prepare<[string, string, number]>(
    'UPDATE next_boots SET boot = ? WHERE node = ? AND set_ms = ?',
  )
  const remove = db.prepare<[string, number]>('DELETE FROM next_boots WHERE node = ? AND set_ms = ?')
  return ({ node, setMs, boot }) => {
    if (boot === null) remove.run(node, setMs)
    else take.run(boot, node, setMs)
  }
}
