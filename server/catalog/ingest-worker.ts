/** The worker thread: runs jobs one after the other and reports progress. Started by ingester.ts. */
import { parentPort } from 'node:worker_threads'
import { type IngestJob, type IngestResult, runIngest } from './ingest-job.js'

/** Messages from the worker. */
export type WorkerMessage =
  | { readonly type: 'progress'; readonly id: number; readonly done: number }
  | { readonly type: 'result'; readonly id: number; readonly result: IngestResult }

/** Time between two reports of progress, milliseconds. */
const progressMs = 250

const port = parentPort
if (port === null) throw new Error('ingest-worker runs as a worker thread only')

let queue = Promise.resolve()
port.on('message', (job: IngestJob) => {
  queue = queue.then(async () => {
    let reportedMs = performance.now()
    const result = await runIngest(job, (done) => {
      const nowMs = performance.now()
      if (nowMs - reportedMs < progressMs) return
      reportedMs = nowMs
      port.postMessage({ type: 'progress', id: job.id, done } satisfies WorkerMessage)
    })
    port.postMessage({ type: 'result', id: job.id, result } satisfies WorkerMessage)
  })
})
