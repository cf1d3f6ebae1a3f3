-- A database as servers of the sixth schema wrote it.
PRAGMA foreign_keys = OFF;
CREATE TABLE artifacts (
     path TEXT PRIMARY KEY,
     size_bytes INTEGER NOT NULL,
     mtime_ns INTEGER NOT NULL,
     inode INTEGER NOT NULL,
     sha256 TEXT NOT NULL,
     infohash TEXT NOT NULL,
     piece_length_bytes INTEGER NOT NULL,
     pieces BLOB NOT NULL
   , ctime_ns INTEGER NOT NULL DEFAULT 0, checked TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;
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
INSERT INTO "events" VALUES(1,'52:54:00:00:00:01','0123456789abcdef',0,1,1000,'boot.started','{"agent":"0.1.0","mem_total_bytes":1}');
INSERT INTO "events" VALUES(2,'52:54:00:00:00:01','0123456789abcdef',1,6,1005,'boot.completed','{"seconds":1.5,"from_peers_bytes":1,"from_origin_bytes":2,"version":3}');
INSERT INTO "events" VALUES(3,'rig1','0123456789abcdef',0,1,1010,'boot.started','{"agent":"0.1.0","mem_total_bytes":1}');
CREATE TABLE leases (
     address INTEGER PRIMARY KEY,
     mac TEXT NOT NULL,
     expires_ms INTEGER NOT NULL,
     circuit_id TEXT NOT NULL,
     remote_id TEXT NOT NULL
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
   , known INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "nodes" VALUES('52:54:00:00:00:01',1,2,'10.0.0.1','r','booted',3,'0123456789abcdef',1);
INSERT INTO "nodes" VALUES('rig1',1,2,'10.0.0.1','r','seen',3,'0123456789abcdef',0);
CREATE TABLE versions (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     created_ms INTEGER NOT NULL,
     content TEXT NOT NULL
   ) STRICT;
CREATE INDEX nodes_last_seen ON nodes (last_seen_ms);
CREATE INDEX events_node ON events (node, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',3);
PRAGMA user_version = 6;
