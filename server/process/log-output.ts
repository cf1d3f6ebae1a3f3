/**
 * Where log lines go: a file descriptor. A disk that is full or a reader that stands still must neither end the server nor
 * stop its loop: lines wait within a bound, then they are lost, and how many is said once it can be.
 */
import { writeSync } from 'node:fs'

/** Bytes that wait. */
const waitingBytesMax = 1024 * 1024
/** What could not be written is tried again after this, milliseconds. */
const againMs = 250
/** At the end of the process its last lines are worth waiting for, milliseconds. */
const lastWordsMs = 1000

/** What pino writes to. */
export interface LogSink {
  /** One or more whole lines. */
  write(lines: string): void
}

/** Writes to `fd`. `lostLine` makes the line that says how many were lost. */
export function logOutput(fd: number, lostLine: (lines: number) => string): LogSink {
  const output = new Output(fd, lostLine)
  process.once('exit', () => output.finish())
  return output
}

class Output implements LogSink {
  readonly #fd: number
  readonly #lostLine: (lines: number) => string
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #lost = 0
  #timer: NodeJS.Timeout | undefined

  constructor(fd: number, lostLine: (lines: number) => string) {
    this.#fd = fd
    this.#lostLine = lostLine
  }

  write(lines: string): void {
    const bytes = Buffer.from(lines)
    if (this.#waitingBytes + bytes.length > waitingBytesMax) this.#lost += 1
    else this.#push(bytes)
    // While others wait the timer tries for all: each line would cost a system call that fails.
    if (this.#timer === undefined) this.#drain()
  }

  /** Writes what waits; nothing comes after. */
  finish(): void {
    clearTimeout(this.#timer)
    const endMs = performance.now() + lastWordsMs
    while (!this.#tryAll() && performance.now() < endMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }

  #drain(): void {
    if (this.#tryAll()) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#drain()
    }, againMs)
    this.#timer.unref()
  }

  /** Whether nothing waits any more. */
  #tryAll(): boolean {
    while (this.#waiting[0] !== undefined) {
      if (!this.#tryOne(this.#waiting[0])) return false
      if (this.#waiting.length === 0 && this.#lost > 0) {
        const lost = this.#lost
        this.#lost = 0
        this.#push(Buffer.from(this.#lostLine(lost)))
      }
    }
    return true
  }

  /** Writes the first that waits, or a part of it: a line is never torn by another. */
  #tryOne(bytes: Buffer): boolean {
    let written: number
    try {
      written = writeSync(this.#fd, bytes)
    } catch {
      return false
    }
    this.#waitingBytes -= written
    if (written === bytes.length) this.#waiting.shift()
    else this.#waiting[0] = bytes.subarray(written)
    return true
  }

  #push(bytes: Buffer): void {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
  }
}
