/**
 * Runs ingest jobs in a worker thread, off the main loop. The thread is started for the first job and ended by
 * {@link Ingester.rest} when there is nothing more to do, so that a server at rest has none.
 */
import { Worker } from 'node:worker_threads'
import type { IngestJob, IngestResult } from './ingest-job.js'
import type { WorkerMessage } from './ingest-worker.js'

interface Pending {
  readonly onProgress: (done: number) => void
  readonly resolve: (result: IngestResult) => void
}

/** One worker thread, or none. */
export class Ingester {
  #worker: Worker | undefined
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  /**
   * Takes a file in; faults of the file and of the thread are results.
   *
   * @throws the system's error if it has no room for a thread
   */
  run(job: Omit<IngestJob, 'id'>, onProgress: (done: number) => void): Promise<IngestResult> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      const worker = this.#start()
      this.#pending.set(id, { onProgress, resolve })
      worker.postMessage({ ...job, id } satisfies IngestJob)
    })
  }

  /** Ends the thread; what still runs ends as `changed` and can be tried again. */
  async rest(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
    this.#settleAll({ ok: false, failure: { kind: 'changed' } })
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL('./ingest-worker.js', import.meta.url))
    this.#worker = worker
    worker.on('message', (message: WorkerMessage) => {
      const pending = this.#pending.get(message.id)
      if (pending === undefined) return
      if (message.type === 'progress') return pending.onProgress(message.done)
      this.#pending.delete(message.id)
      pending.resolve(message.result)
    })
    worker.on('error', (error) => {
      const text = error instanceof Error ? error.message : String(error)
      const message = `the thread that hashes ended: ${text}`
      this.#lost(worker, { ok: false, failure: { kind: 'bad', code: 'INTERNAL', message } })
    })
    return worker
  }

  #lost(worker: Worker, result: IngestResult): void {
    if (this.#worker === worker) this.#worker = undefined
    this.#settleAll(result)
  }

  #settleAll(result: IngestResult): void {
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { resolve } of pending) resolve(result)
  }
}
