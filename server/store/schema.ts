/** The schema, as a list of steps; a file knows how many it has had (`user_version`). Steps are only ever appended. */

import type Sqlite from 'better-sqlite3'
import { BootswarmError } from '../../src/errors.js'

const STEPS: readonly string[] = [
  `CREATE TABLE artifacts (
     path TEXT PRIMARY KEY,
     size_bytes INTEGER NOT NULL,
     mtime_ns INTEGER NOT NULL,
     inode INTEGER NOT NULL,
     sha256 TEXT NOT NULL,
     infohash TEXT NOT NULL,
     piece_length_bytes INTEGER NOT NULL,
     pieces BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE versions (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     created_ms INTEGER NOT NULL,
     content TEXT NOT NULL
   ) STRICT;
   CREATE TABLE nodes (
     id TEXT PRIMARY KEY,
     first_seen_ms INTEGER NOT NULL,
     last_seen_ms INTEGER NOT NULL,
     address TEXT NOT NULL,
     rack TEXT NOT NULL,
     state TEXT NOT NULL,
     version INTEGER,
     boot TEXT
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX nodes_last_seen ON nodes (last_seen_ms);
   CREATE TABLE events (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     node TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
     boot TEXT NOT NULL,
     seq INTEGER NOT NULL,
     t_ms INTEGER NOT NULL,
     received_ms INTEGER NOT NULL,
     type TEXT NOT NULL,
     data TEXT NOT NULL,
     UNIQUE (node, boot, seq)
   ) STRICT;
   CREATE INDEX events_node ON events (node, id);
   CREATE TABLE counters (
     name TEXT PRIMARY KEY,
     value INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE leases (
     address INTEGER PRIMARY KEY,
     mac TEXT NOT NULL,
     expires_ms INTEGER NOT NULL,
     circuit_id TEXT NOT NULL,
     remote_id TEXT NOT NULL
   ) STRICT;`,
  // 0 is no file's: what was hashed without it is hashed once more.
  'ALTER TABLE artifacts ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0',
  // Nothing was ever counted in it.
  'DROP TABLE counters',
  `ALTER TABLE artifacts ADD COLUMN checked TEXT NOT NULL DEFAULT ''`,
  // Nodes that have booted are known: others never push them out.
  `ALTER TABLE nodes ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
   UPDATE nodes SET known = 1 WHERE state IN ('booted', 'stopped')
     OR EXISTS (SELECT 1 FROM events WHERE node = nodes.id AND type = 'boot.completed')`,
  `CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     sha256 TEXT NOT NULL,
     role TEXT NOT NULL,
     name TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     revoked_ms INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE node_labels (
     node TEXT PRIMARY KEY,
     label TEXT NOT NULL,
     set_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE audit (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     at_ms INTEGER NOT NULL,
     who TEXT NOT NULL,
     address TEXT NOT NULL,
     action TEXT NOT NULL,
     target TEXT NOT NULL,
     detail TEXT NOT NULL
   ) STRICT;`,
  // One timeline: what agents report, and all that happens before they run. Identities of nodes are MACs where nobody chose others.
  `CREATE TABLE timeline (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     time_ms INTEGER NOT NULL,
     sender_ms INTEGER,
     mac TEXT,
     node TEXT REFERENCES nodes (id) ON DELETE CASCADE,
     boot TEXT,
     seq INTEGER,
     source TEXT NOT NULL,
     type TEXT NOT NULL,
     data TEXT NOT NULL
   ) STRICT;
   INSERT INTO timeline (id, time_ms, sender_ms, mac, node, boot, seq, source, type, data)
     SELECT id, received_ms, t_ms, iif(node GLOB '[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:' ||
         '[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]', node, NULL),
       node, boot, seq, 'agent', type, data FROM events ORDER BY id;
   DROP TABLE events;
   CREATE UNIQUE INDEX timeline_boot ON timeline (boot, node, seq);
   CREATE INDEX timeline_node ON timeline (node, id);
   CREATE INDEX timeline_mac ON timeline (mac, id);
   CREATE INDEX timeline_strangers ON timeline (id) WHERE node IS NULL AND source NOT IN ('server', 'operator');
   CREATE INDEX timeline_server ON timeline (id) WHERE node IS NULL AND source IN ('server', 'operator');`,
  // The audit trail is what the timeline has of operators.
  `INSERT INTO timeline (time_ms, source, type, data)
     SELECT at_ms, 'operator', action,
       json_object('who', who, 'address', address, 'target', target, 'detail', detail) FROM audit ORDER BY id;
   DROP TABLE audit;
   DROP INDEX timeline_server;
   CREATE INDEX timeline_server ON timeline (id) WHERE node IS NULL AND source = 'server';
   CREATE INDEX timeline_operator ON timeline (id) WHERE source = 'operator';`,
  `CREATE TABLE approvals (
     node TEXT PRIMARY KEY,
     approved_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // The newest of each node: the timeline forgets.
  `CREATE TABLE node_inventories (
     node TEXT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
     data TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE drains (
     node TEXT PRIMARY KEY,
     reason TEXT NOT NULL,
     drained_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE tickets (
     sha256 TEXT PRIMARY KEY,
     mac TEXT NOT NULL,
     node TEXT NOT NULL,
     owner TEXT NOT NULL,
     issued_ms INTEGER NOT NULL,
     expires_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE next_boots (
     node TEXT PRIMARY KEY,
     content TEXT NOT NULL,
     boot TEXT,
     set_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE actions (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     nodes INTEGER NOT NULL,
     started_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE node_keys (
     node TEXT PRIMARY KEY,
     mac TEXT NOT NULL,
     key TEXT NOT NULL,
     ticket_sha256 TEXT NOT NULL,
     address TEXT NOT NULL,
     redeemed_ms INTEGER NOT NULL,
     counter INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // The address itself: of an IPv6 network all nodes have one owner.
  'ALTER TABLE tickets RENAME COLUMN owner TO address',
]

/** The schema that this server writes. */
export const SCHEMA_VERSION = STEPS.length

/**
 * Brings a file up to date: all in one transaction, so that a kill leaves the old or the new schema.
 *
 * @throws BootswarmError DATABASE_FAILED for a file of a newer server
 */
export function migrate(db: Sqlite.Database): void {
  const version = Number(db.pragma('user_version', { simple: true }))
  if (version > SCHEMA_VERSION) {
    throw new BootswarmError(
      'DATABASE_FAILED',
      `the database has schema ${version}, this server knows up to ${SCHEMA_VERSION}: it was written by a newer one`,
    )
  }
  if (version === SCHEMA_VERSION) return
  db.transaction(() => {
    for (const step of STEPS.slice(version)) db.exec(step)
    db.pragma(`user_version = ${SCHEMA_VERSION}`)
  }).immediate()
}
