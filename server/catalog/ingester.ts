/**
 * Runs ingest jobs in a process of their own, off the main loop. It is started for the first job and ended by
 * {@link Ingester.rest} when there is nothing more to do, so that a server at rest has none.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { IngestJob, IngestResult } from './ingest-job.js'
import type { IngestMessage } from './ingest-process.js'

interface Pending {
  readonly onProgress: (done: number) => void
  readonly resolve: (result: IngestResult) => void
  readonly reject: (error: Error) => void
}

/** One process, or none. */
export class Ingester {
  #process: ChildProcess | undefined
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  /**
   * Takes a file in; faults of the file and of the process are results.
   *
   * @throws the system's error if it has no room for a process
   */
  run(job: Omit<IngestJob, 'id'>, onProgress: (done: number) => void): Promise<IngestResult> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      const child = this.#start()
      this.#pending.set(id, { onProgress, resolve, reject })
      if (child.connected) child.send({ ...job, id } satisfies IngestJob, () => {})
    })
  }

  /** Ends the process; what still runs ends as `changed` and can be tried again. */
  async rest(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.kill('SIGKILL')
      await gone
    }
    this.#settleAll({ ok: false, failure: { kind: 'changed' } })
  }

  #start(): ChildProcess {
    if (this.#process !== undefined) return this.#process
    const child = fork(new URL('./ingest-process.js', import.meta.url), [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#process = child
    child.on('message', (message: IngestMessage) => {
      const pending = this.#pending.get(message.id)
      if (pending === undefined) return
      if (message.type === 'progress') return pending.onProgress(message.done)
      this.#pending.delete(message.id)
      pending.resolve(message.result)
    })
    child.on('error', (error) => this.#notStarted(child, error))
    child.on('exit', (code, signal) => this.#lost(child, signal ?? `exit code ${code}`))
    return child
  }

  /** That says nothing of the files. */
  #notStarted(child: ChildProcess, error: Error): void {
    if (this.#process !== child) return
    this.#process = undefined
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(error)
  }

  #lost(child: ChildProcess, why: string): void {
    // One that rests was ended by us.
    if (this.#process !== child) return
    this.#process = undefined
    const message = `the process that hashes ended: ${why}`
    this.#settleAll({ ok: false, failure: { kind: 'bad', code: 'INTERNAL', message } })
  }

  #settleAll(result: IngestResult): void {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { resolve } of pending) resolve(result)
  }
}
