/** Hands write jobs to the thread that writes, starts it for the first one, and again where it has died. */

import { Worker } from 'node:worker_threads'
import type Sqlite from 'better-sqlite3'
import { BootswarmError } from '../../src/errors.js'
import { databaseFailed } from './open.js'
import { type WriteJob, writeJobs } from './write-jobs.js'
import type { FromWriter, ToWriter } from './write-thread.js'

/** Writes. */
export interface Writer {
  /**
   * Resolves when the job is on the disk.
   *
   * @throws BootswarmError DATABASE_FAILED, or the system's error if it has no room for a thread: nothing of it was written
   */
  write(job: WriteJob): Promise<void>
  /** Ends when all jobs have. */
  close(): Promise<void>
}

/** For a database without a file, which no other thread can open. */
export function directWriter(db: Sqlite.Database): Writer {
  const write = writeJobs(db)
  return {
    write: async (job) => {
      try {
        write(job)
      } catch (error) {
        throw databaseFailed('writing', error)
      }
    },
    close: async () => {},
  }
}

/** A writer in a thread of its own. */
export class ThreadWriter implements Writer {
  readonly #file: string
  readonly #pending = new Map<number, { resolve(): void; reject(error: Error): void }>()
  #worker: Worker | undefined
  #lastId = 0

  constructor(file: string) {
    this.#file = file
  }

  write(job: WriteJob): Promise<void> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      const worker = this.#start()
      this.#pending.set(id, { resolve, reject })
      worker.postMessage({ id, job } satisfies ToWriter)
    })
  }

  close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      worker.once('exit', () => resolve())
      worker.postMessage('end' satisfies ToWriter)
    })
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL('./write-thread.js', import.meta.url), {
      workerData: { file: this.#file },
    })
    this.#worker = worker
    worker.on('message', ({ id, failure }: FromWriter) => {
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (failure === undefined) pending?.resolve()
      else pending?.reject(new BootswarmError('DATABASE_FAILED', `writing: ${failure}`))
    })
    worker.on('error', (error) => this.#lost(worker, error))
    worker.on('exit', () => this.#lost(worker, new Error('it ended')))
    return worker
  }

  #lost(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(databaseFailed('the thread that writes', error))
  }
}
