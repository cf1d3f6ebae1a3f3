/**
 * Writes the timeline, all that came while the last transaction ran in one: 500 nodes that report at once cost a few
 * transactions. A report is acknowledged when it is on the disk. While the database fails no more reports are taken in, what
 * was taken is tried again, later each time, and nothing of it is dropped. Facts wait for the next report, or a moment, and are
 * left out where too many of them wait.
 */
import { BootswarmError } from '../../src/errors.js'
import { FACTS_WAITING_BYTES_MAX, REPORTS_WAITING_BYTES_MAX } from '../../src/limits.js'
import type { Failures } from '../process/failures.js'
import type { NewTimelineEvent } from '../store/store.js'
import { type Mark, type Taken, WriteQueue } from './write-queue.js'

/** Its name where it fails. */
const part = 'saving reports of nodes'

/** The first of a burst waits for others, milliseconds: less than an agent's round trip. */
const groupMs = 5
/** Nobody waits for facts: a transaction costs the disk a write. */
const factGroupMs = 250
/** Events of one transaction: some ten milliseconds of work. */
const eventsMax = 2048
/** After a failure, milliseconds: doubles from the first to the last. */
const retryMs = { first: 500, last: 15_000 } as const
/** A transaction that takes longer has failed for those who wait for it, milliseconds: an agent waits for 20 s. */
const stalledMs = 10_000

/** What the writer is made of. */
export interface TimelineWriterOptions {
  /** One transaction, on the disk when it resolves. */
  readonly save: (taken: Taken) => Promise<void>
  readonly isRemembered: (id: string) => boolean
  /** Nodes that have a row. */
  readonly stored: Iterable<string>
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Told of each transaction. */
  readonly failures: Pick<Failures, 'failed' | 'worked'>
}

/** How it stands. */
export interface ReportStats {
  /** Events that wait for the database. */
  readonly waiting: number
  /** Reports that were refused since the start because the database failed or did not keep up. */
  readonly refused: number
}

/** Who waits for a report to be written. */
interface Waiter {
  readonly mark: Mark
  resolve(): void
  reject(error: Error): void
}

/** See the module. */
export class TimelineWriter {
  readonly #options: TimelineWriterOptions
  readonly #queue: WriteQueue
  #waiters: Waiter[] = []
  #writing: Promise<void> | undefined
  #timer: { readonly isUrgent: boolean; callOff(): void } | undefined
  #isStopped = false
  /** The database fails: what is tried next comes after so long, milliseconds. */
  #retryMs: number | undefined
  #refused = 0

  constructor(options: TimelineWriterOptions) {
    this.#options = options
    this.#queue = new WriteQueue(options.stored)
  }

  node(id: string): void {
    this.#queue.node(id)
    this.#soon(true)
  }

  forget(id: string): void {
    this.#queue.forget(id)
    this.#soon(true)
  }

  /** The events of a MAC that is no node. */
  forgetMachine(mac: string): void {
    this.#queue.forgetMachine(mac)
    this.#soon(true)
  }

  /** An agent's event, which somebody waits for: see {@link check} and {@link written}. */
  report(event: NewTimelineEvent): void {
    this.#queue.event(event)
    this.#soon(true)
  }

  /** Any other event. False: it is left out, since too many wait. */
  fact(event: NewTimelineEvent): boolean {
    if (this.#queue.factBytes >= FACTS_WAITING_BYTES_MAX) return false
    this.#queue.event(event)
    this.#soon(false)
    return true
  }

  /**
   * Whether reports can be taken in now.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED
   */
  check(): void {
    if (this.#retryMs !== undefined || this.#queue.reportBytes >= REPORTS_WAITING_BYTES_MAX)
      throw this.#refusal()
  }

  /**
   * Resolves when all that came until now is on the disk.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED if that cannot be; it is tried again all the same
   */
  written(): Promise<void> {
    const mark = this.#queue.mark(this.#writing !== undefined)
    if (this.#queue.isWritten(mark)) return Promise.resolve()
    if (this.#retryMs !== undefined) return Promise.reject(this.#refusal())
    this.#soon(true)
    return new Promise((resolve, reject) => this.#waiters.push({ mark, resolve, reject }))
  }

  stats(): ReportStats {
    return { waiting: this.#queue.reports, refused: this.#refused }
  }

  /** Writes the rest, once. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#timer?.callOff()
    this.#timer = undefined
    await this.#writing
    while (!this.#queue.isEmpty && this.#retryMs === undefined) await this.#write()
  }

  #soon(isUrgent: boolean): void {
    if (this.#writing !== undefined || this.#isStopped || this.#queue.isEmpty) return
    if (this.#timer !== undefined) {
      if (this.#timer.isUrgent || !isUrgent) return
      this.#timer.callOff()
    }
    const waitMs = this.#retryMs ?? (isUrgent ? groupMs : factGroupMs)
    const callOff = this.#options.after(waitMs, () => {
      this.#timer = undefined
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined
        this.#soon(this.#queue.isAwaited)
      })
    })
    // After a failure all wait alike.
    this.#timer = { isUrgent: isUrgent || this.#retryMs !== undefined, callOff }
  }

  async #write(): Promise<void> {
    const { save, after, isRemembered } = this.#options
    const taken = this.#queue.take(eventsMax)
    const callOff = after(stalledMs, () =>
      this.#failed(new Error(`a transaction takes more than ${stalledMs / 1000} s`)),
    )
    try {
      await save(taken)
      this.#queue.wrote(taken)
      this.#worked()
    } catch (error) {
      this.#queue.failed(taken, isRemembered)
      this.#failed(error)
    } finally {
      callOff()
    }
  }

  #failed(error: unknown): void {
    this.#retryMs = this.#retryMs === undefined ? retryMs.first : Math.min(this.#retryMs * 2, retryMs.last)
    this.#options.failures.failed(part, error)
    const waiters = this.#waiters
    this.#waiters = []
    for (const { reject } of waiters) reject(this.#refusal())
  }

  #worked(): void {
    this.#retryMs = undefined
    this.#options.failures.worked(part)
    const waiters = this.#waiters
    this.#waiters = waiters.filter(({ mark }) => !this.#queue.isWritten(mark))
    for (const { mark, resolve } of waiters) if (this.#queue.isWritten(mark)) resolve()
  }

  #refusal(): BootswarmError {
    this.#refused += 1
    const retryAfterS = Math.max(1, Math.ceil((this.#retryMs ?? 0) / 1000))
    return new BootswarmError('REPORTS_NOT_SAVED', 'reports cannot be saved now: send them again', {
      retryAfterS,
    })
  }
}
