/**
 * Takes one file into the store: copies it (without copying, where the file system can), hashes it, makes its
 * torrent. Blocks the loop, so it runs in a process of its own. What it leaves behind when it is killed is a
 * file called `tmp-*` in the store.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { headBytes } from '../../archive/format.js'
import { BootswarmError, type ErrorCode } from '../../src/errors.js'
import { ARTIFACT_BYTES_MAX } from '../../src/limits.js'
import type { ArtifactFormat } from '../../src/manifest-types.js'
import { accept } from './acceptance.js'
import type { CatalogKind } from './names.js'
import { errnoOf, type FileStamp, sameStamp, stampOf } from './scan.js'
import { makeTorrent, type TorrentFacts } from './torrent.js'

/** Prefix of unfinished files in the store. */
export const temporaryPrefix = 'tmp-'

const chunkBytes = 1024 * 1024

/** A file to take in, as it was seen. */
export interface IngestJob {
  readonly path: string
  readonly name: string
  readonly kind: CatalogKind
  readonly stamp: FileStamp
  readonly storeDir: string
  /** Makes the temporary name unique. */
  readonly id: number
}

/** What the store has now. */
export interface Ingested {
  /** 64 lower-case hex digits; the file's name in the store. */
  readonly sha256: string
  readonly sizeBytes: number
  /** As far as the beginning tells (acceptance.ts). */
  readonly format: ArtifactFormat | undefined
  /** Boot files have none: iPXE has no BitTorrent. */
  readonly torrent?: TorrentFacts
}

/** `changed`: written to while it was read, try again. Otherwise a problem to report. */
export type IngestFailure =
  | { readonly kind: 'changed' }
  | { readonly kind: 'bad'; readonly code: ErrorCode; readonly message: string }

/** The end of a job. */
export type IngestResult =
  | { readonly ok: true; readonly value: Ingested }
  | { readonly ok: false; readonly failure: IngestFailure }

/** Runs a job. `onProgress` gets the part that is done, 0 to 1. Faults of the file are results. */
export async function runIngest(job: IngestJob, onProgress: (done: number) => void): Promise<IngestResult> {
  const temporary = join(job.storeDir, `${temporaryPrefix}${process.pid}-${job.id}`)
  let source: number | undefined
  try {
    source = openSource(job)
    const seen = fstatSync(source, { bigint: true })
    if (!seen.isFile()) return bad('ARTIFACT_NOT_A_FILE', 'not a file any more: move it out of the catalog')
    if (!sameStamp(stampOf(seen), job.stamp)) return changed
    if (job.stamp.sizeBytes === 0) return bad('ARTIFACT_EMPTY', 'the file is empty: copy it again')
    if (job.stamp.sizeBytes > ARTIFACT_BYTES_MAX) return bad('MANIFEST_LIMIT', 'larger than 2^40 bytes')
    const copied = copyAndHash(job, source, temporary, (done) =>
      onProgress(job.kind === 'boot' ? done : done / 2),
    )
    if (copied === undefined) return changed
    const end = changeSince(job)
    if (end !== undefined) return end
    const { sizeBytes } = job.stamp
    const acceptance = accept({ kind: job.kind, name: job.name, sizeBytes, head: copied.head })
    if (!acceptance.ok) return bad(acceptance.code, acceptance.message)
    const ingested = { sha256: copied.sha256, sizeBytes, format: acceptance.format }
    if (job.kind === 'boot') {
      moveIntoStore(temporary, job.storeDir, copied.sha256)
      return { ok: true, value: ingested }
    }
    const torrent = await makeTorrent(temporary, job.name, sizeBytes, (doneBytes) =>
      onProgress(0.5 + doneBytes / sizeBytes / 2),
    )
    moveIntoStore(temporary, job.storeDir, copied.sha256)
    return { ok: true, value: { ...ingested, torrent } }
  } catch (error) {
    return failureOf(error)
  } finally {
    if (source !== undefined) closeSync(source)
    rmSync(temporary, { force: true })
  }
}

const changed: IngestResult = { ok: false, failure: { kind: 'changed' } }

function bad(code: ErrorCode, message: string): IngestResult {
  return { ok: false, failure: { kind: 'bad', code, message } }
}

/** O_NONBLOCK: a named pipe put in the file's place must not hold us for ever. */
function openSource(job: IngestJob): number {
  return openSync(job.path, constants.O_RDONLY | constants.O_NONBLOCK)
}

/** Whether the name still leads to the bytes that were read. */
function changeSince(job: IngestJob): IngestResult | undefined {
  return sameStamp(stampOf(statSync(job.path, { bigint: true })), job.stamp) ? undefined : changed
}

/** Copies into `temporary`; undefined if the file got shorter or longer meanwhile. */
function copyAndHash(
  job: IngestJob,
  source: number,
  temporary: string,
  onProgress: (done: number) => void,
): { sha256: string; head: Uint8Array } | undefined {
  const cloned = cloneFile(source, temporary)
  const from = cloned ? openSync(temporary, 'r') : source
  const to = cloned ? from : openSync(temporary, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(chunkBytes)
    const head = Buffer.alloc(Math.min(headBytes, job.stamp.sizeBytes))
    let doneBytes = 0
    while (true) {
      const count = readSync(from, buffer, 0, chunkBytes, null)
      if (count === 0) break
      const part = buffer.subarray(0, count)
      if (doneBytes < head.length) part.copy(head, doneBytes)
      hash.update(part)
      if (!cloned) writeAll(to, part)
      doneBytes += count
      if (doneBytes > job.stamp.sizeBytes) return undefined
      onProgress(doneBytes / job.stamp.sizeBytes)
    }
    if (doneBytes !== job.stamp.sizeBytes) return undefined
    fchmodSync(to, 0o600)
    fsyncSync(to)
    return { sha256: hash.digest('hex'), head }
  } finally {
    if (to !== source) closeSync(to)
  }
}

/** Shares the blocks (btrfs, XFS, bcachefs); false where the file system cannot. */
function cloneFile(source: number, temporary: string): boolean {
  try {
    // By its descriptor: the name may lead elsewhere by now.
    const flags = constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL
    copyFileSync(`/proc/self/fd/${source}`, temporary, flags)
    return true
  } catch {
    rmSync(temporary, { force: true })
    return false
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let offset = 0
  while (offset < bytes.length) offset += writeSync(fd, bytes, offset)
}

function moveIntoStore(temporary: string, storeDir: string, sha256: string): void {
  renameSync(temporary, join(storeDir, sha256))
  // The new name must outlast a power cut: the database will speak of it.
  const dir = openSync(storeDir, 'r')
  try {
    fsyncSync(dir)
  } finally {
    closeSync(dir)
  }
}

function failureOf(error: unknown): IngestResult {
  if (error instanceof BootswarmError) return bad(error.code, error.message)
  const code = errnoOf(error)
  switch (code) {
    case 'ENOENT':
    case 'ESTALE':
      return bad('ARTIFACT_VANISHED', 'it was taken away while it was read')
    case 'EISDIR':
    case 'ELOOP':
    case 'ENXIO':
      return bad('ARTIFACT_NOT_A_FILE', 'not a file any more: move it out of the catalog')
    case 'ENOSPC':
    case 'EDQUOT':
      return bad('DATA_DIR_UNUSABLE', 'no space left for its copy in the data directory: make room')
    case 'EROFS':
      return bad('DATA_DIR_UNUSABLE', 'the data directory is read-only')
    default:
      return bad('ARTIFACT_UNREADABLE', `it cannot be read (${code}): check its permissions and the disk`)
  }
}
