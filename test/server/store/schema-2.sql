-- A database as servers of the second schema wrote it.
CREATE TABLE artifacts (
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
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (
  address INTEGER PRIMARY KEY,
  mac TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  circuit_id TEXT NOT NULL,
  remote_id TEXT NOT NULL
) STRICT;
INSERT INTO artifacts VALUES ('rootfs/r.tar', 5000000000, 1790000000123456789, 3, 'abababababababababababababababababababababababababababababababab', 'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 262144, X'0000000000000000000000000000000000000000');
INSERT INTO versions VALUES (7, 5, '{"artifacts":[]}');
INSERT INTO nodes VALUES ('rig1', 1, 2, '10.0.0.1', 'r', 'stopped', 7, '0123456789abcdef');
INSERT INTO events VALUES (1, 'rig1', '0123456789abcdef', 0, 0, 6, 'boot.completed', '{"seconds":1.5,"from_peers_bytes":1,"from_origin_bytes":2,"version":3}');
INSERT INTO counters VALUES ('origin_bytes', 9);
INSERT INTO leases VALUES (167772161, '52:54:00:00:00:01', 9, 'c', '');
PRAGMA user_version = 2;
