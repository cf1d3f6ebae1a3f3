/**
 * A child process of ours with a typed message channel: started, watched, started again when it dies.
 * What listens to hostile packets through libraries lives in one, so that the daemon outlives it.
 * The child ends by itself when the channel closes ({@link endWithParent}), however the daemon ended.
 */

import { type ChildProcess, fork } from 'node:child_process'

/** The first wait before a restart; it doubles up to the last, and starts anew after a calm time. */
const backoffFirstMs = 100
const backoffLastMs = 30_000
const calmMs = 60_000
/** How long a child may take to end when asked before it is killed. */
const stopGraceMs = 2_000

/** The process has ended unasked; it is started again after `restartInMs`. */
export interface ChildExit {
  code: number | null
  signal: string | null
  restartInMs: number
}

/** What the owner of a child does with it. */
export interface ChildHandlers<FromChild> {
  /** A new process runs: tell it everything it must know. */
  started(): void
  message(message: FromChild): void
  /** It ended unasked. */
  exited(exit: ChildExit): void
}

/** Keeps one child process running. */
export class Child<ToChild extends object, FromChild> {
  readonly #script: URL
  readonly #handlers: ChildHandlers<FromChild>
  #process: ChildProcess | undefined
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

  /** Ends it: closes the channel, and kills after a grace. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#wanted = false
    clearTimeout(this.#timer)
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    if (child.connected) child.disconnect()
    const killer = setTimeout(() => child.kill('SIGKILL'), stopGraceMs)
    await gone
    clearTimeout(killer)
  }

  #spawn(): void {
    this.#startedAtMs = performance.now()
    // 'advanced' carries Uint8Array as it is. The inspector's flags of the daemon are not for the child.
    const child = fork(this.#script, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#process = child
    let ended = false
    const end = (code: number | null, signal: string | null): void => {
      if (ended) return
      ended = true
      this.#ended(code, signal)
    }
    child.on('message', (message) => this.#handlers.message(message as FromChild))
    child.on('error', () => end(null, null))
    child.on('exit', end)
    this.#handlers.started()
  }

  #ended(code: number | null, signal: string | null): void {
    this.#process = undefined
    if (!this.#wanted) return
    if (performance.now() - this.#startedAtMs > calmMs) this.#backoffMs = backoffFirstMs
    const restartInMs = this.#backoffMs
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffLastMs)
    this.restarts++
    this.#timer = setTimeout(() => this.#spawn(), restartInMs)
    this.#handlers.exited({ code, signal, restartInMs })
  }
}

/** In a child process: ends it when the parent is gone, and leaves Ctrl-C to the parent. */
export function endWithParent(): void {
  process.on('disconnect', () => process.exit(0))
  // The parent may have been killed while this process was still loading: that event is over.
  if (!process.connected) process.exit(0)
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
}

/** In a child process: sends a message to the parent. */
export function toParent(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
