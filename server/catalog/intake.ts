/**
 * What becomes of one file that lies in the catalog: known already, being written, taken in, or bad. Retries a
 * bad one less and less often, and at once when it was touched.
 */
import { open } from 'node:fs/promises'
import { headBytes } from '../../archive/format.js'
import type { ErrorCode } from '../../src/errors.js'
import type { ArtifactFormat } from '../../src/manifest-types.js'
import { accept, advice, isFit } from './acceptance.js'
import type { Checker, CheckResult } from './checker.js'
import type { FileOutcome } from './compose.js'
import { Ingester } from './ingester.js'
import type { ServiceLog } from './problem-log.js'
import type { CatalogStore, CheckRecord, IngestRecord } from './records.js'
import { type CatalogProblem, displayPath, type FileStamp, type FoundFile, sameStamp } from './scan.js'
import { fileKey, Settler, type SettleTimes } from './settler.js'
import type { StoreDir } from './store-dir.js'
import type { CatalogArtifact } from './versions.js'
import type { Touched } from './watcher.js'

/** Waiting time before a bad file is tried again, milliseconds: doubles up to the longest. */
const retryMs = { first: 10_000, longest: 300_000 } as const

/** Time between two log lines about one file, milliseconds. */
const progressLogMs = 1000

interface Failure {
  readonly stamp: FileStamp
  readonly problem: CatalogProblem
  /** The content that is refused: it is not good either where it is published. */
  readonly refusedSha256?: string
  /** The checker that gave this answer; a different checker is asked again without waiting. */
  readonly checkedBy: string | undefined
  readonly retryAtMs: number
  readonly delayMs: number
}

interface Known {
  readonly stamp: FileStamp
  /** When we began to read it, milliseconds of a clock that never goes back; -Infinity: in an earlier process. */
  readonly readMs: number
  /** The checker that was asked; undefined: none. */
  readonly checkedBy: string | undefined
  readonly artifact: CatalogArtifact
}

/** What is known of a file's content before it is checked. */
interface Content extends IngestRecord {
  readonly format: ArtifactFormat | undefined
}

/** Whether a content can be published, and as what. */
type Verdict =
  | { readonly ok: true; readonly artifact: CatalogArtifact; readonly check?: CheckRecord }
  | {
      readonly ok: false
      readonly code: ErrorCode
      readonly message: string
      /** The content itself is refused: only another one is worth another try. */
      readonly isFinal: boolean
    }

/** The outcome of a file, and why it is bad. */
export interface IntakeResult {
  readonly outcome: FileOutcome
  readonly problem?: CatalogProblem
}

/** The file that is being read now. */
export interface IntakeProgress {
  readonly file: string
  /** 0 to 1. */
  readonly done: number
}

/** Takes files in, one at a time. */
export class Intake {
  readonly settler: Settler
  readonly #store: CatalogStore
  readonly #storeDir: StoreDir
  readonly #log: ServiceLog
  readonly #checker: Checker | undefined
  readonly #ingester = new Ingester()
  readonly #known = new Map<string, Known>()
  readonly #failures = new Map<string, Failure>()
  /** Files that were touched after we began to read them: their stamps are not to be trusted. */
  readonly #doubtful = new Set<string>()
  #progress: IntakeProgress | undefined
  #noAgent: string | undefined

  /** Without a checker archives are not read to their end. */
  constructor(
    store: CatalogStore,
    storeDir: StoreDir,
    log: ServiceLog,
    times: SettleTimes,
    checker: Checker | undefined,
  ) {
    this.#store = store
    this.#storeDir = storeDir
    this.#log = log
    this.#checker = checker
    this.settler = new Settler(times)
  }

  /** Why archives are published unchecked although they should be. */
  get noAgent(): string | undefined {
    if (this.#checker === undefined) return undefined
    return this.#checker.id === undefined ? 'there is none' : this.#noAgent
  }

  /** What is read now, if anything. */
  get progress(): IntakeProgress | undefined {
    return this.#progress
  }

  /** Judges a file, and takes it in if it is new and settled. */
  async take(file: FoundFile, nowMs: () => number): Promise<IntakeResult> {
    const key = fileKey(file)
    if (this.#doubtful.has(key) && this.#known.delete(key)) this.settler.unsettle(file, nowMs())
    const state = this.settler.look(file, nowMs())
    const failure = this.#failures.get(key)
    if (failure !== undefined && sameStamp(failure.stamp, file.stamp) && nowMs() < failure.retryAtMs) {
      if (failure.checkedBy === this.#checkerOf(file)) return bad(failure.problem, failure.refusedSha256)
    }
    const found = this.#doubtful.has(key) ? undefined : await this.#find(file, nowMs)
    if (found !== undefined) return found
    if (state === 'growing') return growing(file)
    if (state === 'waiting') return { outcome: { kind: 'pending' } }
    return this.#ingest(file, nowMs)
  }

  /**
   * Something touched these names (`plugins/x`): what failed there is tried again at once, and what was read before is
   * read again even if its stamp is the same. Clocks of file systems tick every 4 ms, and some keep no change time.
   */
  touched(touched: Touched): void {
    for (const [key, failure] of this.#failures) {
      if (touched.has(displayPath(failure.problem))) this.#failures.delete(key)
    }
    for (const [key, { artifact, readMs }] of this.#known) {
      if ((touched.get(displayPath(artifact)) ?? -Infinity) >= readMs) this.#doubtful.add(key)
    }
  }

  /** Forgets all files but these. */
  keepOnly(files: readonly FoundFile[]): void {
    const keys = new Set(files.map(fileKey))
    this.settler.keepOnly(keys)
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key)
    for (const key of this.#failures.keys()) if (!keys.has(key)) this.#failures.delete(key)
    for (const key of this.#doubtful) if (!keys.has(key)) this.#doubtful.delete(key)
  }

  /** The SHA-256 of all files that are known: their copies stay. */
  get sha256s(): string[] {
    return [...this.#known.values()].map(({ artifact }) => artifact.sha256)
  }

  /** Ends the process that takes files in; what it was doing is done again at the next look. */
  rest(): Promise<void> {
    return this.#ingester.rest()
  }

  /** As {@link rest}, for good; ends a check that runs. */
  stop(): Promise<void> {
    this.#checker?.stop()
    return this.rest()
  }

  /** What was taken in before, in this process or an earlier one, and is still whole in the store. */
  async #find(file: FoundFile, nowMs: () => number): Promise<IntakeResult | undefined> {
    const key = fileKey(file)
    const known = this.#known.get(key)
    if (known !== undefined && sameStamp(known.stamp, file.stamp)) {
      const { sha256, sizeBytes } = known.artifact
      const isWhole = await this.#storeDir.has(sha256, sizeBytes)
      // Another agent than the one that was asked may have been installed.
      if (isWhole && known.checkedBy === this.#checkerOf(file)) return ready(known.artifact)
      this.#known.delete(key)
      if (!isWhole) return undefined
    }
    const record = this.#store.findIngest(file)
    if (record === undefined || !(await this.#storeDir.has(record.sha256, file.stamp.sizeBytes)))
      return undefined
    const head = await this.#headOf(record.sha256)
    if (head === undefined) return undefined
    const acceptance = accept({ kind: file.kind, name: file.name, sizeBytes: file.stamp.sizeBytes, head })
    // Taken in by a server with other rules: taking it in again says why not.
    if (!acceptance.ok) return undefined
    return this.#settle(file, { ...record, format: acceptance.format }, known?.readMs ?? -Infinity, nowMs)
  }

  /** Has a content checked and remembers what came of it. */
  async #settle(
    file: FoundFile,
    content: Content,
    readMs: number,
    nowMs: () => number,
  ): Promise<IntakeResult> {
    const verdict = await this.#verdict(file, content)
    if (!verdict.ok) {
      const { code, message, isFinal } = verdict
      const problem = { code, kind: file.kind, name: file.name, message, keepsLast: true }
      return this.#failed(file, problem, nowMs(), isFinal ? content.sha256 : undefined)
    }
    const { artifact, check } = verdict
    if (check === undefined || content.check?.by !== check.by) {
      const { sha256, torrent } = content
      this.#store.saveIngest(file, {
        sha256,
        ...(check === undefined ? {} : { check }),
        ...(torrent === undefined ? {} : { torrent }),
      })
    }
    const checkedBy = this.#checkerOf(file)
    this.#known.set(fileKey(file), { stamp: file.stamp, readMs, checkedBy, artifact })
    this.#failures.delete(fileKey(file))
    return ready(artifact)
  }

  /** The checker that a file is to be checked by. Boot files are not unpacked. */
  #checkerOf({ kind }: FoundFile): string | undefined {
    return kind === 'boot' ? undefined : this.#checker?.id
  }

  async #verdict(file: FoundFile, content: Content): Promise<Verdict> {
    const { kind, name } = file
    const by = this.#checkerOf(file)
    let check = content.check?.by === by ? content.check : undefined
    if (this.#checker !== undefined && by !== undefined && check === undefined) {
      const { sizeBytes } = file.stamp
      const result = await this.#checker.check(this.#storeDir.path(content.sha256), kind, name, sizeBytes)
      if (result.kind === 'refused') return refused(name, result)
      if (result.kind === 'unfinished') {
        const message = `it could not be checked: ${result.message}`
        return { ok: false, code: 'ARTIFACT_UNREADABLE', message, isFinal: false }
      }
      this.#noAgent = result.kind === 'no agent' ? result.message : undefined
      if (result.kind === 'unpacks') check = { by, format: result.format }
    }
    const format = check?.format ?? content.format
    if (format === undefined || !isFit(kind, format)) {
      const message =
        format === undefined ? 'its name does not say what is inside (.tar or .cpio)' : `it is a ${format}`
      const whatToDo = kind === 'boot' ? '' : `: ${advice[kind]}`
      return { ok: false, code: 'ARTIFACT_FORMAT_INVALID', message: `${message}${whatToDo}`, isFinal: true }
    }
    const artifact = artifactOf(file, content, format)
    return check === undefined ? { ok: true, artifact } : { ok: true, artifact, check }
  }

  async #headOf(sha256: string): Promise<Uint8Array | undefined> {
    try {
      const handle = await open(this.#storeDir.path(sha256))
      try {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0)
        return buffer.subarray(0, bytesRead)
      } finally {
        await handle.close()
      }
    } catch {
      return undefined
    }
  }

  async #ingest(file: FoundFile, nowMs: () => number): Promise<IntakeResult> {
    const path = displayPath(file)
    const startedMs = performance.now()
    this.#doubtful.delete(fileKey(file))
    let loggedMs = startedMs
    this.#progress = { file: path, done: 0 }
    const job = {
      path: file.path,
      name: file.name,
      kind: file.kind,
      stamp: file.stamp,
      storeDir: this.#storeDir.dir,
    }
    const result = await this.#ingester.run(job, (done) => {
      this.#progress = { file: path, done }
      if (performance.now() - loggedMs < progressLogMs) return
      loggedMs = performance.now()
      const percent = Math.floor(done * 100)
      this.#log.info({ event: 'catalog.hashing', file: path, percent }, `Reading ${path}: ${percent} %`)
    })
    this.#progress = undefined
    if (result.ok) {
      const { sizeBytes, sha256 } = result.value
      const settled = await this.#settle(file, result.value, startedMs, nowMs)
      const ms = Math.round(performance.now() - startedMs)
      if (settled.problem === undefined) {
        this.#log.info({ event: 'catalog.ingested', file: path, sizeBytes, sha256, ms }, `Took in ${path}`)
      }
      return settled
    }
    if (result.failure.kind === 'changed') {
      this.settler.unsettle(file, nowMs())
      return { outcome: { kind: 'pending' } }
    }
    const { code, message } = result.failure
    return this.#failed(file, { code, kind: file.kind, name: file.name, message, keepsLast: true }, nowMs())
  }

  #failed(file: FoundFile, problem: CatalogProblem, nowMs: number, refusedSha256?: string): IntakeResult {
    const before = this.#failures.get(fileKey(file))
    const again = before !== undefined && sameStamp(before.stamp, file.stamp)
    const delayMs = again ? Math.min(before.delayMs * 2, retryMs.longest) : retryMs.first
    const retryAtMs = refusedSha256 === undefined ? nowMs + delayMs : Number.POSITIVE_INFINITY
    this.#failures.set(fileKey(file), {
      stamp: file.stamp,
      problem,
      checkedBy: this.#checkerOf(file),
      retryAtMs,
      delayMs,
      ...(refusedSha256 === undefined ? {} : { refusedSha256 }),
    })
    return bad(problem, refusedSha256)
  }
}

function ready(artifact: CatalogArtifact): IntakeResult {
  return { outcome: { kind: 'ready', artifact } }
}

function artifactOf(file: FoundFile, content: Content, format: ArtifactFormat): CatalogArtifact {
  return {
    kind: file.kind,
    name: file.name,
    sizeBytes: file.stamp.sizeBytes,
    sha256: content.sha256,
    format,
    modifiedS: Math.max(0, Number(BigInt(file.stamp.mtimeNs) / 1_000_000_000n)),
    ...(content.torrent === undefined ? {} : { torrent: content.torrent }),
  }
}

function bad(problem: CatalogProblem, refusedSha256?: string): IntakeResult {
  const { keepsLast } = problem
  const outcome = { kind: 'bad' as const, keepsLast }
  return { outcome: refusedSha256 === undefined ? outcome : { ...outcome, refusedSha256 }, problem }
}

/** Remedies for archives that agents refuse, by the agent's error code. */
const remedies: Readonly<Record<string, string>> = {
  ARCHIVE_ESCAPES: 'pack it again without `..` in names',
  ARCHIVE_FORBIDDEN_ENTRY: 'pack it again without that member',
  ARCHIVE_MALFORMED: 'copy it again; if that does not help pack it again',
  ARCHIVE_TOO_MANY_ENTRIES: 'split it, or make a squashfs of it',
  ARCHIVE_UNSUPPORTED: 'pack it again with tar, without --sparse, and with gzip, xz or zstd',
  ROOT_NO_INIT: 'put an init into it, or name the one that it has with init= in kernel_args',
}

function refused(name: string, { code, message }: Extract<CheckResult, { kind: 'refused' }>): Verdict {
  const reason = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message
  const whatToDo = remedies[code] ?? 'replace it'
  const text = `every node would refuse it (${code}: ${reason}): ${whatToDo}`
  return { ok: false, code: 'ARTIFACT_REFUSED', message: text, isFinal: true }
}

function growing(file: FoundFile): IntakeResult {
  const message = 'it has been growing or changing for more than a minute: it is published once it rests'
  return bad({ code: 'ARTIFACT_GROWING', kind: file.kind, name: file.name, message, keepsLast: true })
}
