/**
 * What becomes of one file that lies in the catalog: known already, being written, taken in, or bad. Retries a
 * bad one less and less often, and at once when it was touched.
 */
import { open } from 'node:fs/promises'
import { headBytes } from '../../archive/format.js'
import { accept } from './acceptance.js'
import type { FileOutcome } from './compose.js'
import { Ingester } from './ingester.js'
import type { ServiceLog } from './problem-log.js'
import { type CatalogProblem, displayPath, type FileStamp, type FoundFile, sameStamp } from './scan.js'
import { fileKey, Settler, type SettleTimes } from './settler.js'
import type { StoreDir } from './store-dir.js'
import type { CatalogArtifact, CatalogStore } from './types.js'
import type { Touched } from './watcher.js'

/** Waiting time before a bad file is tried again, milliseconds: doubles up to the longest. */
const retryMs = { first: 10_000, longest: 300_000 } as const

/** Time between two log lines about one file, milliseconds. */
const progressLogMs = 1000

interface Failure {
  readonly stamp: FileStamp
  readonly problem: CatalogProblem
  readonly retryAtMs: number
  readonly delayMs: number
}

interface Known {
  readonly stamp: FileStamp
  /** When we began to read it, milliseconds of a clock that never goes back; -Infinity: in an earlier process. */
  readonly readMs: number
  readonly artifact: CatalogArtifact
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
  readonly #ingester = new Ingester()
  readonly #known = new Map<string, Known>()
  readonly #failures = new Map<string, Failure>()
  /** Files that were touched after we began to read them: their stamps are not to be trusted. */
  readonly #doubtful = new Set<string>()
  #progress: IntakeProgress | undefined

  constructor(store: CatalogStore, storeDir: StoreDir, log: ServiceLog, times: SettleTimes) {
    this.#store = store
    this.#storeDir = storeDir
    this.#log = log
    this.settler = new Settler(times)
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
    const known = this.#doubtful.has(key) ? undefined : await this.#find(file)
    if (known !== undefined) return ready(known)
    if (state === 'growing') return growing(file)
    if (state === 'waiting') return { outcome: { kind: 'pending' } }
    const failure = this.#failures.get(key)
    if (failure !== undefined && sameStamp(failure.stamp, file.stamp) && nowMs() < failure.retryAtMs) {
      return bad(failure.problem)
    }
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

  /** Ends the worker thread; what it was doing is done again at the next look. */
  rest(): Promise<void> {
    return this.#ingester.rest()
  }

  /** What was taken in before, in this process or an earlier one, and is still whole in the store. */
  async #find(file: FoundFile): Promise<Known | undefined> {
    const key = fileKey(file)
    let known = this.#known.get(key)
    if (known === undefined || !sameStamp(known.stamp, file.stamp)) {
      const record = this.#store.findIngest(file)
      if (record === undefined) return undefined
      const head = await this.#headOf(record.sha256)
      if (head === undefined) return undefined
      const { sizeBytes } = file.stamp
      const acceptance = accept({ kind: file.kind, name: file.name, sizeBytes, head })
      // Taken in by a server with other rules: taking it in again says why not.
      if (!acceptance.ok) return undefined
      const { format } = acceptance
      known = { stamp: file.stamp, readMs: -Infinity, artifact: artifactOf(file, { ...record, format }) }
    }
    if (!(await this.#storeDir.has(known.artifact.sha256, known.artifact.sizeBytes))) {
      this.#known.delete(key)
      return undefined
    }
    this.#known.set(key, known)
    return known
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
      const known = { stamp: file.stamp, readMs: startedMs, artifact: artifactOf(file, result.value) }
      const { artifact } = known
      this.#store.saveIngest(file, result.value)
      this.#known.set(fileKey(file), known)
      this.#failures.delete(fileKey(file))
      const ms = Math.round(performance.now() - startedMs)
      this.#log.info(
        { event: 'catalog.ingested', file: path, sizeBytes: artifact.sizeBytes, sha256: artifact.sha256, ms },
        `Took in ${path}`,
      )
      return ready(known)
    }
    if (result.failure.kind === 'changed') {
      this.settler.unsettle(file, nowMs())
      return { outcome: { kind: 'pending' } }
    }
    const { code, message } = result.failure
    return this.#failed(file, { code, kind: file.kind, name: file.name, message, keepsLast: true }, nowMs())
  }

  #failed(file: FoundFile, problem: CatalogProblem, nowMs: number): IntakeResult {
    const before = this.#failures.get(fileKey(file))
    const again = before !== undefined && sameStamp(before.stamp, file.stamp)
    const delayMs = again ? Math.min(before.delayMs * 2, retryMs.longest) : retryMs.first
    this.#failures.set(fileKey(file), { stamp: file.stamp, problem, retryAtMs: nowMs + delayMs, delayMs })
    return bad(problem)
  }
}

type Facts = Pick<CatalogArtifact, 'sha256' | 'format'> & Pick<Partial<CatalogArtifact>, 'torrent'>

function ready({ artifact }: Known): IntakeResult {
  return { outcome: { kind: 'ready', artifact } }
}

function artifactOf(file: FoundFile, facts: Facts): CatalogArtifact {
  return {
    kind: file.kind,
    name: file.name,
    sizeBytes: file.stamp.sizeBytes,
    sha256: facts.sha256,
    format: facts.format,
    modifiedS: Math.max(0, Number(BigInt(file.stamp.mtimeNs) / 1_000_000_000n)),
    ...(facts.torrent === undefined ? {} : { torrent: facts.torrent }),
  }
}

function bad(problem: CatalogProblem): IntakeResult {
  return { outcome: { kind: 'bad', keepsLast: problem.keepsLast }, problem }
}

function growing(file: FoundFile): IntakeResult {
  const message = 'it has been growing or changing for more than a minute: it is published once it rests'
  return bad({ code: 'ARTIFACT_GROWING', kind: file.kind, name: file.name, message, keepsLast: true })
}
