/**
 * Looks at the directories of `artifacts/` once: what lies there, how big, how old. Opens nothing.
 */
import type { BigIntStats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { artifactDirs } from '../../src/artifact-dirs.js'
import type { ErrorCode } from '../../src/errors.js'
import { printable } from '../../src/text.js'
import { type CatalogKind, catalogKinds, judgeName } from './names.js'

/** Entries of one directory that are looked at; what lies behind is reported and left out. */
const dirEntriesMax = 4096

/**
 * What a file is recognised by without reading it: a change of any of these may be a new content. Size and
 * modification time alone do not tell: `cp -p` and `touch -r` set the time, and an image often has a fixed size. No
 * program can set the change time.
 */
export interface FileStamp {
  readonly sizeBytes: number
  /** Decimal digits: nanoseconds do not fit a JavaScript number. */
  readonly mtimeNs: string
  readonly ctimeNs: string
  readonly ino: string
}

/** A regular file that may become an artifact. */
export interface FoundFile {
  readonly kind: CatalogKind
  readonly name: string
  readonly path: string
  readonly stamp: FileStamp
}

/** Something in the catalog that is not published, or is but should be otherwise, and why. */
export interface CatalogProblem {
  readonly code: ErrorCode
  readonly kind: CatalogKind
  /** File name; empty for the whole directory. */
  readonly name: string
  readonly message: string
  /** The same name's last good content stays published meanwhile. */
  readonly keepsLast: boolean
}

/** A file that is no artifact, by its name. */
export interface PassedOver {
  readonly kind: CatalogKind
  readonly name: string
  /** What it is instead, with its article. */
  readonly what: string
  /** It usually goes away by itself. */
  readonly isTransient: boolean
}

/** One scan of the three directories. */
export interface Scan {
  readonly files: readonly FoundFile[]
  readonly passedOver: readonly PassedOver[]
  readonly problems: readonly CatalogProblem[]
}

/** Path of a file below `artifacts/`, printable. */
export function displayPath(file: { readonly kind: CatalogKind; readonly name: string }): string {
  return `${artifactDirs[file.kind]}/${printable(file.name)}`
}

/** Whether two stamps are of the same content. */
export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.ino === b.ino
}

/** The stamp of a file's stat (taken with `bigint: true`). */
export function stampOf(stats: BigIntStats): FileStamp {
  return {
    sizeBytes: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
    ino: String(stats.ino),
  }
}

/** Looks at everything below `artifactsDir`. A missing directory is an empty one. */
export async function scanArtifacts(artifactsDir: string): Promise<Scan> {
  const files: FoundFile[] = []
  const passedOver: PassedOver[] = []
  const problems: CatalogProblem[] = []
  for (const kind of catalogKinds) await scanDir(artifactsDir, kind, { files, passedOver, problems })
  return { files, passedOver, problems }
}

async function scanDir(
  artifactsDir: string,
  kind: CatalogKind,
  {
    files,
    passedOver,
    problems,
  }: { files: FoundFile[]; passedOver: PassedOver[]; problems: CatalogProblem[] },
): Promise<void> {
  const dir = join(artifactsDir, artifactDirs[kind])
  const problem = (code: ErrorCode, name: string, message: string, keepsLast: boolean) =>
    problems.push({ code, kind, name, message, keepsLast })
  let names: string[]
  try {
    names = await readdir(dir)
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'ENOENT')
      problem(
        'ARTIFACT_UNREADABLE',
        '',
        `the directory cannot be read (${code}): check its permissions`,
        true,
      )
    return
  }
  names.sort()
  if (names.length > dirEntriesMax) {
    problem(
      'ARTIFACT_NAME_INVALID',
      '',
      `only the first ${dirEntriesMax} of ${names.length} entries are looked at`,
      false,
    )
    names.length = dirEntriesMax
  }
  for (const name of names) {
    const verdict = judgeName(name)
    if (verdict.kind === 'passed over') {
      passedOver.push({ kind, name, what: verdict.what, isTransient: verdict.isTransient })
      continue
    }
    if (verdict.kind === 'invalid') {
      problem('ARTIFACT_NAME_INVALID', name, `${verdict.reason}: rename it`, false)
      continue
    }
    const path = join(dir, name)
    let stats: BigIntStats
    try {
      stats = await stat(path, { bigint: true })
    } catch (error) {
      const code = errnoOf(error)
      if (code === 'ELOOP')
        problem('ARTIFACT_NOT_A_FILE', name, 'a symbolic link that leads to itself: remove it', false)
      else if (code === 'ENOENT') {
        // Gone between the listing and the look is no news; a link to nothing is.
        if (await isLink(path))
          problem('ARTIFACT_NOT_A_FILE', name, 'a symbolic link to a file that is missing: remove it', false)
      } else
        problem('ARTIFACT_UNREADABLE', name, `cannot be looked at (${code}): check its permissions`, true)
      continue
    }
    if (!stats.isFile()) {
      problem('ARTIFACT_NOT_A_FILE', name, `${typeOf(stats)}, not a file: move it out of the catalog`, false)
      continue
    }
    files.push({ kind, name, path, stamp: stampOf(stats) })
  }
}

/** The errno name of a system error, or UNKNOWN. */
export function errnoOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code
  return 'UNKNOWN'
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch {
    return false
  }
}

function typeOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a directory'
  if (stats.isFIFO()) return 'a named pipe'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}
