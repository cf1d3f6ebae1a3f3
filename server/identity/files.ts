/** Files that are there whole or not at all, whenever the process is killed; private ones are 0600 from their first byte. */

import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'

/**
 * Makes a directory with these permissions; one that exists keeps its own unless `enforce`.
 *
 * @throws BootswarmError DATA_DIR_UNUSABLE
 */
export function ensureDirectory(path: string, mode: number, enforce = false): void {
  usable(path, () => {
    const made = mkdirSync(path, { recursive: true, mode })
    if (enforce && made === undefined) chmodSync(path, mode)
  })
}

/**
 * Writes a file by a temporary one beside it: write, fsync, rename, fsync of the directory.
 *
 * @throws BootswarmError DATA_DIR_UNUSABLE
 */
export function writeFileAtomically(path: string, data: string | Uint8Array, mode: number): void {
  usable(path, () => {
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`)
    rmSync(temporary, { force: true })
    const file = openSync(temporary, 'wx', mode)
    try {
      writeFileSync(file, data)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    chmodSync(temporary, mode)
    renameSync(temporary, path)
    syncDirectory(dirname(path))
  })
}

/** Removes what a killed {@link writeFileAtomically} left behind. */
export function removeTemporaries(directory: string): void {
  usable(directory, () => {
    for (const name of readdirSync(directory)) {
      if (/^\..*\.[0-9]+\.tmp$/.test(name)) rmSync(join(directory, name), { force: true })
    }
  })
}

/** A file's text; undefined if there is none. @throws BootswarmError DATA_DIR_UNUSABLE */
export function readIfThere(path: string): string | undefined {
  return usable(path, () => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  })
}

/**
 * A private file's text; undefined if there is none.
 *
 * @throws BootswarmError KEY_PERMISSIONS if others could read it, DATA_DIR_UNUSABLE
 */
export function readPrivate(path: string): string | undefined {
  const stat = usable(path, () => lstatSync(path, { throwIfNoEntry: false }))
  if (!stat) return undefined
  if (!stat.isFile()) throw new BootswarmError('KEY_PERMISSIONS', `${path} is not a plain file`)
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
    throw new BootswarmError(
      'KEY_PERMISSIONS',
      `${path} has mode ${mode}, others could use it: expected 0600`,
    )
  }
  return readIfThere(path)
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function usable<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof BootswarmError) throw cause
    throw new BootswarmError('DATA_DIR_UNUSABLE', `${path}: ${(cause as Error).message}`, { cause })
  }
}
