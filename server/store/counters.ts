/** Named sums that only grow, such as the bytes that the origin sent. */

import type Sqlite from 'better-sqlite3'
import { guard } from './open.js'

/** Access to the counters. */
export interface CounterTable {
  /** Adds to counters (made at their first use), all in one transaction. Negative amounts are refused. */
  add(amounts: Readonly<Record<string, number>>): void
  /** All counters by name. */
  all(): Record<string, number>
}

/** Prepares the statements. */
export function counterTable(db: Sqlite.Database): CounterTable {
  const insert = db.prepare<[string, number]>(
    'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value',
  )
  const all = db.prepare<[], { name: string; value: number }>(
    'SELECT name, value FROM counters ORDER BY name',
  )
  const add = db.transaction((amounts: Readonly<Record<string, number>>) => {
    for (const [name, amount] of Object.entries(amounts)) {
      if (!Number.isSafeInteger(amount) || amount < 0) throw new RangeError(`${name}: ${amount}`)
      if (amount > 0) insert.run(name, amount)
    }
  })
  return {
    add: (amounts) => guard('adding to counters', () => add.immediate(amounts)),
    all: () =>
      guard('reading the counters', () => Object.fromEntries(all.all().map((row) => [row.name, row.value]))),
  }
}
