/**
 * The process that takes files in: runs jobs one after the other and reports progress. Started by ingester.ts. A thread of the
 * daemon would end it where the system has no memory for another heap.
 */
import { endWithParent, toParent } from '../process/child.js'
import { type IngestJob, type IngestResult, runIngest } from './ingest-job.js'

/** What it reports. */
export type IngestMessage =
  | { readonly type: 'progress'; readonly id: number; readonly done: number }
  | { readonly type: 'result'; readonly id: number; readonly result: IngestResult }

/** Time between two reports of progress, milliseconds. */
const progressMs = 250

endWithParent()
const parent = process.ppid
const send = (message: IngestMessage): void => toParent(message)

let queue = Promise.resolve()
process.on('message', (job: IngestJob) => {
  queue = queue.then(async () => {
    let reportedMs = performance.now()
    const result = await runIngest(job, (done) => {
      // A job blocks the loop: that the channel is closed would be noticed after it.
      if (process.ppid !== parent) process.exit(0)
      const nowMs = performance.now()
      if (nowMs - reportedMs < progressMs) return
      reportedMs = nowMs
      send({ type: 'progress', id: job.id, done })
    })
    send({ type: 'result', id: job.id, result })
  })
})
