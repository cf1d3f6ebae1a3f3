/**
 * The catalog: scans `artifacts/` periodically, ingests what is new, and publishes versions. The
 * decisions are in settler.ts, compose.ts and retention.ts; reading and hashing happen in a process of their own.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { WantedArtifacts } from '../../src/artifact-choice.js'
import { artifactDirs } from '../../src/artifact-dirs.js'
import { compareVersions } from '../../src/version-order.js'
import type { Failures } from '../process/failures.js'
import { backoffMs } from '../process/recurring.js'
import type { Checker } from './checker.js'
import { chooseRoots } from './choice.js'
import { compose, type NamedOutcome, sameArtifacts } from './compose.js'
import { Intake, type IntakeProgress } from './intake.js'
import { ProblemLog, type ServiceLog } from './problem-log.js'
import type { CatalogStore } from './records.js'
import { bootingMaxMs, versionsToDrop } from './retention.js'
import {
  type CatalogProblem,
  errnoOf,
  type FoundFile,
  type PassedOver,
  type Scan,
  scanArtifacts,
} from './scan.js'
import { fileKey, type SettleTimes, settleTimes } from './settler.js'
import { StoreDir } from './store-dir.js'
import { type CatalogArtifact, LiveVersions, type StoredVersion } from './versions.js'
import { CatalogWatcher } from './watcher.js'

/** Looks at the directories: soon after a change, else now and then, milliseconds. */
const lookMs = { soon: 250, idle: 10_000 } as const

/** Its name where it fails. */
const part = 'bringing the catalog up to date'

/** What a catalog is made of. */
export interface CatalogOptions {
  readonly artifactsDir: string
  readonly dataDir: string
  readonly store: CatalogStore
  readonly failures: Failures
  readonly log: ServiceLog
  /** Old versions that are kept in any case. */
  readonly versionsKeep: number
  /** What profiles and nodes name, as it is configured now; look again when it has changed. */
  readonly wanted: () => WantedArtifacts
  /** Whether a node is in the middle of booting this version. */
  readonly isBooting: (version: number) => boolean
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  readonly settleTimes?: SettleTimes
  /** Reads archives to their end before they are published. Missing: they are published unchecked. */
  readonly checker?: Checker
  /** A longer pause between two looks saves work where inotify can be trusted; tests shorten it. */
  readonly idleLookMs?: number
}

/** The running catalog. */
export class Catalog {
  readonly storeDir: StoreDir
  readonly #options: CatalogOptions
  readonly #intake: Intake
  readonly #problems: ProblemLog
  readonly #watcher: CatalogWatcher
  readonly #listeners = new Set<(live: LiveVersions) => void>()
  #live = new LiveVersions([])
  /** What the newest version in the database consists of, whether its files are all there or not. */
  #published: StoredVersion | undefined
  /** What was wrong with the whole when all files had last been judged. */
  #wholeProblems: readonly CatalogProblem[] = []
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(options: CatalogOptions) {
    this.#options = options
    this.storeDir = new StoreDir(options.dataDir)
    this.#problems = new ProblemLog(options.log)
    const times = options.settleTimes ?? settleTimes
    this.#intake = new Intake(options.store, this.storeDir, options.log, times, options.checker)
    this.#watcher = new CatalogWatcher(
      options.artifactsDir,
      () => performance.now(),
      (touched) => {
        this.#intake.touched(touched)
        this.look()
      },
      (message) => options.log.warn({ event: 'catalog.watch-failed' }, message),
    )
  }

  /** The versions that are served now. */
  get live(): LiveVersions {
    return this.#live
  }

  /** What is wrong in the directories now. */
  get problems(): readonly CatalogProblem[] {
    return this.#problems.current
  }

  /** Files in the directories that are no artifacts by their names. */
  get passedOver(): readonly PassedOver[] {
    return this.#problems.passedOver
  }

  /** The file that is being read, if any. */
  get progress(): IntakeProgress | undefined {
    return this.#intake.progress
  }

  /** Calls back with each new set of versions; the result takes the listener away. */
  onChange(listener: (live: LiveVersions) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Opens the store, serves what was published before and is whole, and begins to look.
   *
   * @throws BootswarmError DATA_DIR_UNUSABLE, DATABASE_FAILED
   */
  async start(): Promise<void> {
    const { store, log, artifactsDir } = this.#options
    await this.storeDir.open()
    for (const dir of Object.values(artifactDirs)) {
      // Made for the operator's convenience; a read-only or missing disk shows in the scan.
      await mkdir(join(artifactsDir, dir), { recursive: true }).catch((error: unknown) =>
        log.debug({ event: 'catalog.mkdir-failed', reason: errnoOf(error) }, `${dir}/ could not be made`),
      )
    }
    const versions = store.loadVersions()
    this.#published = versions.at(-1)
    const whole: StoredVersion[] = []
    for (const version of versions) if (await this.#isWhole(version)) whole.push(version)
    // An older version must not pass for the current one while a lost file is taken in again.
    if (whole.at(-1)?.version === this.#published?.version) this.#setLive(whole)
    else
      log.warn(
        { event: 'catalog.store-damaged' },
        'Files of the published version are missing: they are read again',
      )
    this.look()
  }

  /** Looks at the directories at the next chance. */
  look(): void {
    if (this.#stopped) return
    if (this.#looking !== undefined) {
      this.#again = true
      return
    }
    clearTimeout(this.#timer)
    this.#looking = this.#lookOnce()
      .then(
        (waitMs) => {
          this.#options.failures.worked(part)
          return waitMs
        },
        (error: unknown) => backoffMs(lookMs.idle, this.#options.failures.failed(part, error)),
      )
      .then((waitMs) => {
        this.#looking = undefined
        if (this.#stopped) return
        this.#timer = setTimeout(() => this.look(), this.#again ? lookMs.soon : waitMs)
        this.#again = false
      })
  }

  /** Ends all work; what is half read is read again at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#watcher.close()
    await this.#intake.stop()
    await this.#looking
    await this.#intake.stop()
  }

  /** One look; gives the time until the next, milliseconds. */
  async #lookOnce(): Promise<number> {
    const { artifactsDir, nowMs, idleLookMs } = this.#options
    this.#watcher.refresh()
    const scan = await scanArtifacts(artifactsDir)
    this.#problems.passOver(scan.passedOver)
    const problems = [...scan.problems]
    // Once: a configuration that changes in the middle of a look is for the next one.
    const wanted = this.#options.wanted()
    const outcomes = await this.#judge(scan, wanted, problems)
    if (this.#stopped) return 0
    const { noAgent } = this.#intake
    if (noAgent !== undefined) problems.push(uncheckedProblem(noAgent))
    const last = this.#published?.artifacts ?? []
    const composition = compose(outcomes, last, wanted)
    if (composition.pending) {
      // While a file is written or read nothing new is known of the whole: what was wrong with it still is.
      this.#problems.update([...problems, ...this.#wholeProblems])
      return (this.#options.settleTimes ?? settleTimes).quietMs
    }
    await this.#intake.rest()
    const isEmpty = !composition.artifacts.some(({ kind }) => kind === 'rootfs')
    this.#wholeProblems = [...composition.problems, ...(isEmpty ? [emptyProblem] : [])]
    this.#problems.update([...problems, ...this.#wholeProblems])
    if (!composition.refused) await this.#publish(composition.artifacts)
    await this.#collect(scan, nowMs())
    return idleLookMs ?? lookMs.idle
  }

  /** Judges every file, and every published name that is not there any more. */
  async #judge(scan: Scan, wanted: WantedArtifacts, problems: CatalogProblem[]): Promise<NamedOutcome[]> {
    const { nowMs } = this.#options
    this.#intake.keepOnly(scan.files)
    const outcomes: NamedOutcome[] = []
    for (const problem of scan.problems) {
      const { kind, name, keepsLast } = problem
      if (name !== '') outcomes.push({ kind, name, outcome: { kind: 'bad', keepsLast } })
    }
    let roots = scan.files.filter(({ kind }) => kind === 'rootfs')
    let booted = chooseRoots(roots, wanted)
    for (const file of inOrderOfNeed(scan.files)) {
      if (this.#stopped) break
      const { kind, name } = file
      if (kind === 'rootfs' && !booted.includes(file)) {
        outcomes.push({ kind, name, outcome: { kind: 'surplus' } })
        continue
      }
      const { outcome, problem } = await this.#intake.take(file, nowMs)
      if (problem !== undefined) problems.push(problem)
      if (kind === 'rootfs' && outcome.kind === 'bad') {
        // Older ones, which come later, take its place.
        roots = roots.filter((other) => other !== file)
        booted = chooseRoots(roots, wanted)
      }
      outcomes.push({ kind, name, outcome })
    }
    return [...outcomes, ...this.#missing(outcomes, scan)]
  }

  #missing(outcomes: readonly NamedOutcome[], scan: Scan): NamedOutcome[] {
    const seen = new Set(outcomes.map(fileKey))
    const missing = (this.#published?.artifacts ?? []).filter((artifact) => !seen.has(fileKey(artifact)))
    this.#intake.settler.keepMissing(new Set(missing.map(fileKey)))
    return missing.flatMap(({ kind, name }): NamedOutcome[] => {
      // The whole directory cannot be read: that says nothing about its files.
      const unknown = scan.problems.some(
        (problem) => problem.kind === kind && problem.name === '' && problem.keepsLast,
      )
      if (unknown) return [{ kind, name, outcome: { kind: 'bad', keepsLast: true } }]
      const gone = this.#intake.settler.gone(fileKey({ kind, name }), this.#options.nowMs())
      return gone ? [] : [{ kind, name, outcome: { kind: 'pending' } }]
    })
  }

  async #publish(artifacts: readonly CatalogArtifact[]): Promise<void> {
    const { store, log, nowMs } = this.#options
    const before = this.#published
    if (before !== undefined && sameArtifacts(before.artifacts, artifacts)) {
      // The same again: after a repair of the store it is served again.
      if (this.#live.current?.version !== before.version && (await this.#isWhole(before))) {
        this.#setLive([...this.#live.all, before])
      }
      return
    }
    if (before === undefined && artifacts.length === 0) return
    const createdMs = nowMs()
    const version = store.publishVersion(artifacts, createdMs)
    this.#published = { version, createdMs, artifacts }
    const old = this.#live.all.map((live) =>
      live.supersededMs === undefined ? { ...live, supersededMs: createdMs } : live,
    )
    this.#setLive([...old, this.#published])
    const sizeBytes = artifacts.reduce((sum, artifact) => sum + artifact.sizeBytes, 0)
    log.info(
      { event: 'catalog.published', version, artifacts: artifacts.length, sizeBytes },
      `Published version ${version}: ${artifacts.map((artifact) => `${artifactDirs[artifact.kind]}/${artifact.name}`).join(', ') || 'empty'}`,
    )
  }

  /** Drops old versions that no node needs, and stored files that belong to no version. */
  async #collect(scan: Scan, nowMs: number): Promise<void> {
    const { store, log, versionsKeep, isBooting } = this.#options
    const rules = { keep: versionsKeep, bootingMaxMs }
    const drop = new Set(versionsToDrop(this.#live.all, rules, isBooting, nowMs))
    if (drop.size > 0) {
      this.#setLive(this.#live.all.filter(({ version }) => !drop.has(version)))
      const list = [...drop].join(', ')
      log.info({ event: 'catalog.dropped', versions: [...drop] }, `Version ${list} is no longer served`)
    }
    const versions = this.#live.all.map(({ version }) => version)
    if (this.#published !== undefined) versions.push(this.#published.version)
    store.keepVersions(versions)
    store.keepIngests(scan.files)
    const needed = this.#live.sha256s
    for (const artifact of this.#published?.artifacts ?? []) needed.add(artifact.sha256)
    for (const sha256 of this.#intake.sha256s) needed.add(sha256)
    await this.storeDir.keepOnly(needed)
  }

  async #isWhole(version: StoredVersion): Promise<boolean> {
    for (const { sha256, sizeBytes } of version.artifacts) {
      if (!(await this.storeDir.has(sha256, sizeBytes))) return false
    }
    return true
  }

  #setLive(versions: readonly StoredVersion[]): void {
    this.#live = new LiveVersions([...versions].sort((a, b) => a.version - b.version))
    for (const listener of this.#listeners) listener(this.#live)
  }
}

const emptyProblem: CatalogProblem = {
  code: 'CATALOG_EMPTY',
  kind: 'rootfs',
  name: '',
  message: 'no root file system: nodes cannot boot until you drop one in; ./bootswarm image rootfs makes one',
  keepsLast: false,
}

function uncheckedProblem(why: string): CatalogProblem {
  const message = `archives are published unchecked, since the agent cannot be asked (${why}): \`npm run build\` makes it`
  return { code: 'AGENT_MISSING', kind: 'rootfs', name: '', message, keepsLast: false }
}

/** The root file systems first, the one of the newest version by its name before the others. */
function inOrderOfNeed(files: readonly FoundFile[]): FoundFile[] {
  const rootfs = files.filter(({ kind }) => kind === 'rootfs').sort((a, b) => compareVersions(b.name, a.name))
  return [...rootfs, ...files.filter(({ kind }) => kind !== 'rootfs')]
}
