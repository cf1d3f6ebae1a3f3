/**
 * One server for one data directory. The lock is one that the kernel holds for the process (SQLite's, on a
 * file of its own): a kill -9 releases it, and no process id can go stale.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { BootswarmError } from '../../src/errors.js'
import { makePrivate } from './open.js'

/** The held lock. */
export interface DataDirLock {
  /** Idempotent. */
  release(): void
}

/** Held by the module: a lock that its owner no longer refers to must not be collected, for that would release it. */
const held = new Set<Sqlite.Database>()

/**
 * Whether a server holds the lock of a data directory; undefined: this user may not find out.
 */
export function isDataDirLocked(dataDir: string): boolean | undefined {
  const file = join(dataDir, 'lock')
  if (!existsSync(file)) return false
  let db: Sqlite.Database | undefined
  try {
    db = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: 0 })
    db.pragma('schema_version')
    return false
  } catch (error) {
    return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY') ? true : undefined
  } finally {
    db?.close()
  }
}

/**
 * Takes the lock, without waiting.
 *
 * @throws BootswarmError DATA_DIR_LOCKED, DATA_DIR_UNUSABLE
 */
export function lockDataDir(dataDir: string): DataDirLock {
  let db: Sqlite.Database | undefined
  try {
    const file = join(dataDir, 'lock')
    makePrivate(file)
    db = new Sqlite(file, { timeout: 0 })
    db.exec('BEGIN EXCLUSIVE')
    const database = db
    held.add(database)
    return {
      release: () => {
        held.delete(database)
        database.close()
      },
    }
  } catch (cause) {
    db?.close()
    if (cause instanceof Sqlite.SqliteError && cause.code.startsWith('SQLITE_BUSY')) {
      throw new BootswarmError('DATA_DIR_LOCKED', `another server runs on ${dataDir}`, { cause })
    }
    throw new BootswarmError(
      'DATA_DIR_UNUSABLE',
      `${dataDir} cannot be locked: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}
