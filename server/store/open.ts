/** Opens the SQLite file: settings, schema, and what to do with a file that is corrupt. */

import { closeSync, existsSync, openSync, renameSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import type { Logger } from 'pino'
import { BootswarmError } from '../../src/errors.js'
import { migrate } from './schema.js'

/** How to open the store. */
export interface StoreOptions {
  /** The SQLite file, or `:memory:` for tests of other parts. */
  readonly file: string
  /** Told of a corrupt file that was moved aside. */
  readonly log: Pick<Logger, 'warn'>
  /** The time, ms since 1970: names what is moved aside. */
  readonly nowMs: number
}

/** SQLite's name for a database that has no file. */
export const inMemory = ':memory:'

/** How long a transaction waits for another one to end, milliseconds. */
const busyMs = 5000

/** The write-ahead log is cut to this, bytes: SQLite starts it anew at a quarter of it. */
const journalBytesMax = 16 * 1024 * 1024

/** @throws BootswarmError DATABASE_FAILED */
export function openDatabase(options: StoreOptions): Sqlite.Database {
  try {
    return open(options.file)
  } catch (error) {
    if (!isCorrupt(error)) throw databaseFailed(`${options.file} cannot be opened`, error)
    const aside = moveAside(options.file, options.nowMs)
    options.log.warn(
      { code: 'DATABASE_FAILED', file: options.file, aside, reason: (error as Error).message },
      'the database was corrupt: it was moved aside and a new one made; artifacts are hashed again, history is lost',
    )
  }
  try {
    return open(options.file)
  } catch (error) {
    throw databaseFailed(`${options.file} cannot be made`, error)
  }
}

/** Runs a function on the database and gives its failures the code. */
export function guard<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof BootswarmError ? error : databaseFailed(what, error)
  }
}

/** Runs a statement whose change is on the disk, also after a power cut, when this returns. Not within a transaction. */
export function durably<T>(db: Sqlite.Database, run: () => T): T {
  db.pragma('synchronous = FULL')
  try {
    return run()
  } finally {
    db.pragma('synchronous = NORMAL')
  }
}

function open(file: string): Sqlite.Database {
  if (file !== inMemory) makePrivate(file)
  const db = new Sqlite(file, { timeout: busyMs })
  try {
    // A file that is no database shows at the first read; damage inside it at the check.
    const check = db.pragma('quick_check(1)', { simple: true })
    if (check !== 'ok') throw new Corrupt(String(check))
    db.pragma('journal_mode = WAL')
    // NORMAL in WAL mode: a kill loses nothing, a power cut may lose what can be made again, such as hashes. Nothing on the
    // main loop waits for the disk; what must last uses durably() or the thread that writes.
    db.pragma('synchronous = NORMAL')
    settle(db)
    migrate(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Opens the file once more, for the thread that writes: each transaction is on the disk when it ends (FULL). */
export function openWriter(file: string): Sqlite.Database {
  const db = new Sqlite(file, { timeout: busyMs, fileMustExist: true })
  try {
    db.pragma('synchronous = FULL')
    settle(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function settle(db: Sqlite.Database): void {
  db.pragma('foreign_keys = ON')
  // After a checkpoint: a burst leaves no large file behind.
  db.pragma(`journal_size_limit = ${journalBytesMax}`)
}

/** SQLite would make it readable for all; the files that it makes beside it have the mode of this one. */
export function makePrivate(file: string): void {
  try {
    // Never opened if it is there: closing it would end SQLite's locks of this process (POSIX).
    closeSync(openSync(file, 'wx', 0o600))
  } catch {
    // It is there, or SQLite says what is wrong.
  }
}

class Corrupt extends Error {}

function isCorrupt(error: unknown): boolean {
  if (error instanceof Corrupt) return true
  return error instanceof Sqlite.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code)
}

function moveAside(file: string, nowMs: number): string {
  const aside = `${file}.corrupt-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}`
  try {
    for (const suffix of ['-wal', '-shm', '']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
    }
  } catch (error) {
    throw databaseFailed(`${file} is corrupt and cannot be moved aside`, error)
  }
  return aside
}

export function databaseFailed(what: string, cause: unknown): BootswarmError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new BootswarmError('DATABASE_FAILED', `${what}: ${reason}`, { cause })
}
