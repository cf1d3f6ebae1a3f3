/**
 * Work that a part of the daemon does again and again. If it fails, the next run comes later each time, until it succeeds
 * ({@link Failures} names the part meanwhile).
 */
import type { Failures } from './failures.js'

/** The longest wait after failures, for work that is usually done more often, milliseconds. */
const backoffLastMs = 60_000

/** What is done, and how often. */
export interface RecurringOptions {
  /** For people: `the addresses of this machine`. */
  readonly part: string
  /** From the end of a run to the next one. */
  readonly everyMs: number
  readonly run: () => void | Promise<void>
  readonly failures: Failures
}

/** Runs between `start` and `stop`, never twice at a time; does not keep the process alive. */
export class Recurring {
  readonly #options: RecurringOptions
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: RecurringOptions) {
    this.#options = options
  }

  start(): void {
    this.#wait(this.#options.everyMs)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => void this.#turn(), ms).unref()
  }

  async #turn(): Promise<void> {
    const { part, everyMs, run, failures } = this.#options
    let waitMs = everyMs
    try {
      await run()
      failures.worked(part)
    } catch (error) {
      waitMs = backoffMs(everyMs, failures.failed(part, error))
    }
    if (!this.#isStopped) this.#wait(waitMs)
  }
}

/** The wait after so many failures in a row. */
export function backoffMs(everyMs: number, failures: number): number {
  return Math.max(everyMs, Math.min(everyMs * 2 ** Math.min(failures, 16), backoffLastMs))
}
