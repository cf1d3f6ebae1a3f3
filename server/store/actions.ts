/** The actions at nodes that run: so that a server that starts again can say which it ended. Operators start them: operators.ts. */

import type Sqlite from 'better-sqlite3'
import { guard } from './open.js'

/** One of them. */
export interface ActionRow {
  readonly id: string
  /** What it does: `wake`. */
  readonly kind: string
  /** How many nodes it is for. */
  readonly nodes: number
  /** Milliseconds since 1970. */
  readonly startedMs: number
}

/** Reads them. */
export interface ActionTable {
  /** Oldest first. */
  list(): ActionRow[]
}

/** Prepares the statement. */
export function actionTable(db: Sqlite.Database): ActionTable {
  const rows = db.prepare<[], ActionRow>(
    'SELECT id, kind, nodes, started_ms AS startedMs FROM actions ORDER BY started_ms, id',
  )
  return { list: () => guard('reading the actions', () => rows.all()) }
}

/** Writes within a transaction. */
export function actionWriter(db: Sqlite.Database): {
  start(action: ActionRow): void
  end(id: string): void
} {
  const insert = db.prepare<[ActionRow]>(
    'INSERT INTO actions (id, kind, nodes, started_ms) VALUES (@id, @kind, @nodes, @startedMs)',
  )
  const remove = db.prepare<[string]>('DELETE FROM actions WHERE id = ?')
  return {
    start: (action) => void insert.run(action),
    end: (id) => void remove.run(id),
  }
}
