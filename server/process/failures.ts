/**
 * Which parts of the server do not work now. What fails in a timer or a callback of a part does not end the daemon: the
 * part is named once in the log, shown in `/v1/status` while it fails, and tries again.
 */
import { BootswarmError, type ErrorCode } from '../../src/errors.js'

/** Characters of a message that are kept. */
const messageLengthMax = 500

/** Where failures are logged; pino fits. */
export interface FailureLog {
  error(facts: object, message: string): void
  info(facts: object, message: string): void
}

/** A part that failed when it last ran. */
export interface PartFailure {
  readonly part: string
  readonly code: ErrorCode
  readonly message: string
  /** Failures in a row. */
  readonly times: number
  /** When the first of them was, wall clock, milliseconds since 1970. */
  readonly sinceMs: number
}

/** Who fails now. */
export class Failures {
  readonly #log: FailureLog
  readonly #nowMs: () => number
  readonly #failing = new Map<string, PartFailure>()

  constructor(log: FailureLog, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** Notes a failure, logs the first in a row, and returns how many there were in a row. */
  failed(part: string, error: unknown): number {
    const code = error instanceof BootswarmError ? error.code : 'PART_FAILED'
    const message = (error instanceof Error ? error.message : String(error)).slice(0, messageLengthMax)
    const { times = 0, sinceMs = this.#nowMs() } = this.#failing.get(part) ?? {}
    this.#failing.set(part, { part, code, message, times: times + 1, sinceMs })
    if (times === 0) {
      const facts = { event: 'part.failed', failing: part, code, err: error }
      this.#log.error(facts, `${part} failed, trying again: ${message}`)
    }
    return times + 1
  }

  /** The part has done its work. */
  worked(part: string): void {
    const failure = this.#failing.get(part)
    if (failure === undefined) return
    this.#failing.delete(part)
    const facts = { event: 'part.recovered', recovered: part, failures: failure.times }
    this.#log.info(facts, `${part} works again`)
  }

  /** Those that fail now, longest first. */
  list(): PartFailure[] {
    return [...this.#failing.values()]
  }
}
