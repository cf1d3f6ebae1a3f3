/**
 * A child process of ours with a typed message channel: started, watched, started again when it dies.
 * What listens to hostile packets through libraries lives in one, so that the daemon outlives it.
 * The child ends by itself when the channel closes ({@link endWithParent}), however the daemon ended.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { complain } from '../../host/console.js'

/** The first wait before a restart; it doubles up to the last, and starts anew after a calm time. */
const backoffFirstMs = 100
const backoffLastMs = 30_000
const calmMs = 60_000
/** How long a child may take to end when asked before it is killed. */
const stopGraceMs = 2_000

/** The process has ended unasked, or could not be started; it is started again after `restartInMs`. */
export interface ChildExit {
  code: number | null
  signal: string | null
  restartInMs: number
  /** Why, where it was not the process itself that ended. */
  error?: string
}

/** An exit as it is logged. */
export function exitFacts({ code, signal, error }: ChildExit): Record<string, string | number> {
  return { code: code ?? -1, signal: signal ?? '', ...(error === undefined ? {} : { error }) }
}

/** What the owner of a child does with it. */
export interface ChildHandlers<FromChild> {
  /** A new process runs: send it its complete state. If this throws, the process is ended and started again. */
  started(): void
  message(message: FromChild): void
  /** It ended unasked. */
  exited(exit: ChildExit): void
}

/** Messages of a child to {@link Child} itself, for {@link Child.replace}. */
type Handover = 'child.ready' | 'child.retired'

/** Keeps one child process running. */
export class Child<ToChild extends object, FromChild> {
  readonly #script: URL
  readonly #handlers: ChildHandlers<FromChild>
  #process: ChildProcess | undefined
  /** Takes the place of the other when that has retired. */
  #next: { readonly child: ChildProcess; takeOver(): void; failed(): void } | undefined
  /** Those that were replaced and have not ended. */
  readonly #retired = new Set<ChildProcess>()
  #timer: NodeJS.Timeout | undefined
  #backoffMs = backoffFirstMs
  #startedAtMs = 0
  #wanted = false
  restarts = 0

  constructor(script: URL, handlers: ChildHandlers<FromChild>) {
    this.#script = script
    this.#handlers = handlers
  }

  /** Process id while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Starts it, and again whenever it dies, until {@link stop}. */
  start(): void {
    this.#wanted = true
    this.#spawn()
  }

  /** Sends a message; nothing happens while no process runs ({@link ChildHandlers.started} sends all anew). */
  send(message: ToChild): void {
    const child = this.#process
    if (child?.connected) child.send(message, () => {})
  }

  /**
   * Puts a new process in the place of the one that runs, which ends in its own time. When the new one is loaded
   * ({@link tellReady}) the other gets `retire`; when that has released what only one process can hold ({@link tellRetired}),
   * or is gone, the new one is `started`. One that dies before is tried again later. While a replacement or a restart is under way nothing more is done.
   */
  replace(retire: ToChild): void {
    const before = this.#process
    if (!this.#wanted || before === undefined || this.#next !== undefined) return
    const child = this.#fork()
    if (child instanceof Error) {
      this.#timer = setTimeout(() => this.replace(retire), backoffLastMs)
      return
    }
    const takeOver = () => {
      if (this.#next?.child !== child) return
      this.#next = undefined
      if (this.#process !== undefined) this.#retired.add(this.#process)
      this.#become(child)
    }
    const failed = () => {
      this.#next = undefined
      this.#timer = setTimeout(() => this.replace(retire), backoffLastMs)
    }
    this.#next = { child, takeOver, failed }
    child.on('message', (message) => {
      if (isHandover(message, 'child.ready') && before.connected) before.send(retire, () => {})
    })
    before.on('message', (message) => {
      if (isHandover(message, 'child.retired')) takeOver()
    })
  }

  /** Ends all: closes the channels, and kills after a grace. Resolves when they are gone. */
  async stop(): Promise<void> {
    this.#wanted = false
    clearTimeout(this.#timer)
    const { child: next } = this.#next ?? {}
    this.#next = undefined
    const all = [this.#process, next, ...this.#retired]
    await Promise.all(all.map((child) => (child === undefined ? undefined : endChild(child))))
  }

  #spawn(): void {
    const child = this.#fork()
    if (child instanceof Error) this.#ended(null, null, child)
    else this.#become(child)
  }

  #become(child: ChildProcess): void {
    this.#startedAtMs = performance.now()
    this.#process = child
    try {
      this.#handlers.started()
    } catch (error) {
      child.kill('SIGKILL')
      this.#ended(null, null, asError(error))
    }
  }

  /** Gives the error where the system has no room for another process. */
  #fork(): ChildProcess | Error {
    let child: ChildProcess
    try {
      // 'advanced' carries Uint8Array as it is. The inspector's flags of the daemon are not for the child.
      child = fork(this.#script, [], {
        serialization: 'advanced',
        execArgv: [],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
    } catch (error) {
      return asError(error)
    }
    let ended = false
    const end = (code: number | null, signal: string | null, error?: Error): void => {
      if (ended) return
      ended = true
      if (child === this.#process) this.#ended(code, signal, error)
      else if (child === this.#next?.child) this.#next.failed()
      else this.#retired.delete(child)
    }
    child.on('message', (message) => {
      if (!isHandover(message)) this.#handlers.message(message as FromChild)
    })
    child.on('error', (error) => end(null, null, error))
    child.on('exit', (code, signal) => end(code, signal))
    return child
  }

  #ended(code: number | null, signal: string | null, error?: Error): void {
    this.#process = undefined
    if (!this.#wanted) return
    if (this.#next !== undefined) {
      this.#next.takeOver()
      return
    }
    if (performance.now() - this.#startedAtMs > calmMs) this.#backoffMs = backoffFirstMs
    const restartInMs = this.#backoffMs
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffLastMs)
    this.restarts++
    this.#timer = setTimeout(() => this.#spawn(), restartInMs)
    this.#handlers.exited({
      code,
      signal,
      restartInMs,
      ...(error === undefined ? {} : { error: error.message }),
    })
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function isHandover(message: unknown, which?: Handover): boolean {
  const type = (message as { type?: unknown }).type
  return which === undefined ? type === 'child.ready' || type === 'child.retired' : type === which
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (child.connected) child.disconnect()
  const killer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs)
  await gone
  clearTimeout(killer)
}

/** In a child process: it is loaded, and can take the place of another. */
export function tellReady(): void {
  toParent({ type: 'child.ready' satisfies Handover })
}

/** In a child process: another can take its place now. */
export function tellRetired(): void {
  toParent({ type: 'child.retired' satisfies Handover })
}

/** In a child process: ends it when the parent is gone or something was not caught, and leaves Ctrl-C to the parent. */
export function endWithParent(): void {
  process.on('disconnect', () => process.exit(0))
  // The parent may have been killed while this process was still loading: that event is over.
  if (!process.connected) process.exit(0)
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  // Node.js would print it as it is, and it may quote a packet.
  process.on('uncaughtException', (error: unknown) => {
    complain(error instanceof Error ? (error.stack ?? error.message) : String(error))
    process.exit(1)
  })
}

/** In a child process: sends a message to the parent. */
export function toParent(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
