/**
 * What the server must remember, in one SQLite file: the one module with SQL. Synchronous and quick
 * (each call is one small transaction); what it holds of artifacts can be made again from artifacts/.
 */

import { type ArtifactTable, artifactTable } from './artifacts.js'
import { type EventTable, eventTable } from './events.js'
import { type LeaseTable, leaseTable } from './leases.js'
import { type NodeTable, nodeTable } from './nodes.js'
import { guard, openDatabase, type StoreOptions } from './open.js'
import { type VersionTable, versionTable } from './versions.js'

export type { ArtifactRecord, ArtifactTable, FileStamp } from './artifacts.js'
export type { EventRecord, EventTable } from './events.js'
export type { LeaseTable } from './leases.js'
export type { NodeRow, NodeTable, NodeUpdate, StoredState } from './nodes.js'
export type { StoreOptions } from './open.js'
export type { VersionRecord, VersionTable } from './versions.js'

/** All tables. Every function throws BootswarmError DATABASE_FAILED where SQLite cannot do it. */
export interface Store {
  /** What hashing found, by path: so that a start does not hash everything again. */
  readonly artifacts: ArtifactTable
  /** The catalog's versions. */
  readonly versions: VersionTable
  /** Every node that was ever seen. */
  readonly nodes: NodeTable
  /** Events that nodes sent about their boots. */
  readonly events: EventTable
  /** Addresses given by DHCP. */
  readonly leases: LeaseTable
  /** Runs all calls in `run` as one transaction, all or nothing. Not for `versions.publish`, which waits for the disk. */
  batch(run: () => void): void
  /** Writes everything back and closes the file. Idempotent. */
  close(): void
}

/**
 * Opens the store, makes or migrates its schema. A corrupt file is moved aside and a new one made.
 *
 * @throws BootswarmError DATABASE_FAILED
 */
export function openStore(options: StoreOptions): Store {
  const db = openDatabase(options)
  return {
    artifacts: artifactTable(db),
    versions: versionTable(db),
    nodes: nodeTable(db),
    events: eventTable(db),
    leases: leaseTable(db),
    batch: (run) => guard('writing a batch', () => db.transaction(run).immediate()),
    close: () => db.close(),
  }
}
