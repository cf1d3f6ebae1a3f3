/**
 * What is written while nodes boot: the timeline with the nodes' rows, DHCP leases, tickets, what operators do, and the boots that take what they set. Each job is one transaction that is on the disk when
 * it returns. Runs in a thread of its own (write-thread.ts): a disk that is slow or full must not stop the main loop.
 */

import type Sqlite from 'better-sqlite3'
import type { LeaseChange } from '../../src/dhcp-lease.js'
import { DATABASE_BYTES_MAX } from '../../src/limits.js'
import type { TicketChange } from '../../src/tickets.js'
import { actionWriter } from './actions.js'
import { leaseWriter } from './leases.js'
import { type NextBootJob, nextBootWriter } from './next-boots.js'
import { type NodeRow, nodeWriter } from './nodes.js'
import { type OperatorJob, operatorWriter } from './operators.js'
import { ticketWriter } from './tickets.js'
import { type NewTimelineEvent, timelineAppender } from './timeline.js'
import { type TimelineBounds, timelinePruner, timelineTrimmer } from './timeline-bounds.js'

/** What has happened, and the rows of nodes that it changes. */
export interface TimelineBatch {
  /** Nodes that are remembered no more; before the others. */
  readonly forgotten: readonly string[]
  readonly nodes: readonly NodeRow[]
  readonly events: readonly NewTimelineEvent[]
}

/** One transaction. */
export type WriteJob =
  | { readonly kind: 'timeline'; readonly batch: TimelineBatch }
  | { readonly kind: 'leases'; readonly changes: readonly LeaseChange[] }
  | { readonly kind: 'tickets'; readonly changes: readonly TicketChange[] }
  | { readonly kind: 'operator'; readonly job: OperatorJob }
  | { readonly kind: 'next-boot'; readonly job: NextBootJob }
  | { readonly kind: 'action-end'; readonly id: string }

/** Events that go at once where the database is too large, and how often in one transaction: more than it brings. */
const pruneEvents = 1024
const pruneRoundsMax = 4

/** Prepares the statements; `databaseBytesMax` bounds what the file holds, `bounds` what of the timeline is kept. */
export function writeJobs(
  db: Sqlite.Database,
  databaseBytesMax = DATABASE_BYTES_MAX,
  bounds: Partial<TimelineBounds> = {},
): (job: WriteJob) => void {
  const nodes = nodeWriter(db)
  const append = timelineAppender(db)
  const trim = timelineTrimmer(db, bounds)
  const prune = timelinePruner(db)
  const leases = leaseWriter(db)
  const tickets = ticketWriter(db)
  const operator = operatorWriter(db)
  const nextBoot = nextBootWriter(db)
  const actions = actionWriter(db)
  const number = (pragma: string) => Number(db.pragma(pragma, { simple: true }))
  const pageBytes = number('page_size')
  // Pages that are free are used again before the file grows.
  const usedBytes = () => (number('page_count') - number('freelist_count')) * pageBytes
  const write = db.transaction((job: WriteJob) => {
    if (job.kind === 'leases') return leases(job.changes)
    if (job.kind === 'tickets') return tickets(job.changes)
    if (job.kind === 'operator') return operator(job.job)
    if (job.kind === 'next-boot') return nextBoot(job.job)
    if (job.kind === 'action-end') return actions.end(job.id)
    nodes.forget(job.batch.forgotten)
    nodes.put(job.batch.nodes)
    append(job.batch.events)
    trim(job.batch.events)
    for (let round = 0; round < pruneRoundsMax && usedBytes() > databaseBytesMax; round += 1) {
      if (prune(pruneEvents) === 0) return
    }
  })
  return (job) => write.immediate(job)
}
