/**
 * What the server must remember, in one SQLite file: the one module with SQL. Reading, and what the catalog writes, is
 * synchronous and quick; timeline, leases and tickets are written by a thread and are on the disk when the promise resolves. What it holds of
 * artifacts can be made again from artifacts/.
 */

import type { LeaseChange } from '../../src/dhcp-lease.js'
import type { TicketChange } from '../../src/tickets.js'
import { type ActionTable, actionTable } from './actions.js'
import { type ArtifactTable, artifactTable } from './artifacts.js'
import { type EventPages, eventPages } from './event-pages.js'
import { type LeaseTable, leaseTable } from './leases.js'
import { type NextBootJob, type NextBootTable, nextBootTable } from './next-boots.js'
import { type NodeTable, nodeTable } from './nodes.js'
import { inMemory, openDatabase, type StoreOptions } from './open.js'
import { type OperatorJob, type OperatorTables, operatorTables } from './operators.js'
import { type TicketTable, ticketTable } from './tickets.js'
import { type TimelineTable, timelineTable } from './timeline.js'
import { type VersionTable, versionTable } from './versions.js'
import type { TimelineBatch } from './write-jobs.js'
import { directWriter, ThreadWriter } from './writer.js'

export type { ActionRow } from './actions.js'
export type { ArtifactRecord, ArtifactTable, FileStamp } from './artifacts.js'
export type { EventFilter, EventPages, StoredPage } from './event-pages.js'
export type { LeaseTable } from './leases.js'
export type { NodeRow, NodeTable, StoredState } from './nodes.js'
export type { StoreOptions } from './open.js'
export type { AuditRow, OperatorJob, OperatorTables, TokenRow } from './operators.js'
export type { NewTimelineEvent, StoredReport, TimelineTable } from './timeline.js'
export type { StoredMachine } from './timeline-machines.js'
export type { VersionRecord, VersionTable } from './versions.js'
export type { TimelineBatch } from './write-jobs.js'

/** All tables. Every function throws BootswarmError DATABASE_FAILED where SQLite cannot do it. */
export interface Store {
  /** What hashing found, by path: so that a start does not hash everything again. */
  readonly artifacts: ArtifactTable
  /** The catalog's versions. */
  readonly versions: VersionTable
  /** The nodes that are remembered. */
  readonly nodes: NodeTable
  /** Everything that has happened. */
  readonly timeline: TimelineTable
  /** The same page by page. */
  readonly eventPages: EventPages
  /** Addresses given by DHCP. */
  readonly leases: LeaseTable
  /** Tickets that nobody has redeemed, and the keys of nodes. */
  readonly tickets: TicketTable
  /** Operators' tokens, labels and audit trail. */
  readonly operators: OperatorTables
  /** What nodes boot once. */
  readonly nextBoots: NextBootTable
  /** Actions at nodes that run. */
  readonly actions: ActionTable
  /** Writes what has happened: all or nothing. */
  saveTimeline(batch: TimelineBatch): Promise<void>
  /** Keeps and forgets leases: all or nothing. */
  saveLeases(changes: readonly LeaseChange[]): Promise<void>
  /** Keeps and forgets tickets and keys: all or nothing. */
  saveTickets(changes: readonly TicketChange[]): Promise<void>
  /** Writes what an operator did, with its event of the timeline: both or neither. */
  saveOperator(job: OperatorJob): Promise<void>
  /** Writes that a boot has taken what an operator set for it, or that it is used up. */
  saveNextBoot(job: NextBootJob): Promise<void>
  /** Writes that an action is over. */
  saveActionEnd(id: string): Promise<void>
  /** Waits for what is being written, writes everything back and closes the file. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the store, makes or migrates its schema. A corrupt file is moved aside and a new one made.
 *
 * @throws BootswarmError DATABASE_FAILED
 */
export function openStore(options: StoreOptions): Store {
  const db = openDatabase(options)
  const writer = options.file === inMemory ? directWriter(db) : new ThreadWriter(options.file)
  return {
    artifacts: artifactTable(db),
    versions: versionTable(db),
    nodes: nodeTable(db),
    timeline: timelineTable(db),
    eventPages: eventPages(db),
    leases: leaseTable(db),
    tickets: ticketTable(db),
    operators: operatorTables(db),
    nextBoots: nextBootTable(db),
    actions: actionTable(db),
    saveTimeline: (batch) => writer.write({ kind: 'timeline', batch }),
    saveLeases: (changes) => writer.write({ kind: 'leases', changes }),
    saveTickets: (changes) => writer.write({ kind: 'tickets', changes }),
    saveOperator: (job) => writer.write({ kind: 'operator', job }),
    saveNextBoot: (job) => writer.write({ kind: 'next-boot', job }),
    saveActionEnd: (id) => writer.write({ kind: 'action-end', id }),
    close: async () => {
      await writer.close()
      db.close()
    },
  }
}
