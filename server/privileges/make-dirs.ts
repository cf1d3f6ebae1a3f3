/** Makes the directories that a start needs, before their permissions are checked. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { artifactsDirs } from './needs.js'

/** The user may have no right to make them. Readable by all, like what is in them; a read-only disk shows later. */
export function makeArtifactsDirs(artifactsDir: string | undefined): void {
  withUmask(0o022, () => {
    for (const path of artifactsDirs(artifactsDir)) {
      try {
        mkdirSync(path, { recursive: true, mode: 0o755 })
      } catch {
        // The catalog reports what is missing.
      }
    }
  })
}

/** Those above it are for all to enter, itself for its owner alone. @throws BootswarmError DATA_DIR_UNUSABLE */
export function makeDataDir(dataDir: string): void {
  makeDir(dataDir, () => {
    if (process.getuid?.() === 0) makeOpenDir(dirname(dataDir))
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  })
}

/** A directory that only holds others, for all to enter. @throws BootswarmError DATA_DIR_UNUSABLE */
export function makeOpenDir(path: string): void {
  makeDir(path, () => withUmask(0o022, () => mkdirSync(path, { recursive: true })))
}

function makeDir(path: string, make: () => void): void {
  try {
    make()
  } catch (cause) {
    if (cause instanceof BootswarmError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BootswarmError('DATA_DIR_UNUSABLE', `${path} cannot be made: ${reason}`, { cause })
  }
}

function withUmask(mask: number, run: () => void): void {
  const before = process.umask(mask)
  try {
    run()
  } finally {
    process.umask(before)
  }
}
