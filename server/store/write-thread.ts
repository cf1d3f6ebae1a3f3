/** The thread that writes: one job after the other, each answered when it is on the disk or has failed. */

import { parentPort, workerData } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { openWriter } from './open.js'
import { type WriteJob, writeJobs } from './write-jobs.js'

/** A job, or the wish to end. */
export type ToWriter = { readonly id: number; readonly job: WriteJob } | 'end'
/** The answer; `failure`: why nothing of it was written. */
export interface FromWriter {
  readonly id: number
  readonly failure?: string
}

const port = parentPort
if (port === null) throw new Error('write-thread runs as a worker thread only')

const { file } = workerData as { file: string }
let open: { readonly db: Sqlite.Database; readonly write: (job: WriteJob) => void } | undefined

port.on('message', (message: ToWriter) => {
  if (message === 'end') {
    open?.db.close()
    port.close()
    return
  }
  const { id, job } = message
  try {
    if (open === undefined) {
      const db = openWriter(file)
      open = { db, write: writeJobs(db) }
    }
    open.write(job)
    port.postMessage({ id } satisfies FromWriter)
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error)
    // A full disk says nothing of the connection, and another one might find no descriptor.
    if (!(error instanceof Sqlite.SqliteError && error.code === 'SQLITE_FULL')) close()
    port.postMessage({ id, failure } satisfies FromWriter)
  }
})

/** A connection that has failed otherwise is opened anew for the next job: what it remembers of the file may be wrong. */
function close(): void {
  try {
    open?.db.close()
  } catch {
    // It is gone one way or the other.
  }
  open = undefined
}
