-- A database as servers of the eighth schema wrote it.
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
CREATE TABLE audit (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     at_ms INTEGER NOT NULL,
     who TEXT NOT NULL,
     address TEXT NOT NULL,
     action TEXT NOT NULL,
     target TEXT NOT NULL,
     detail TEXT NOT NULL
   ) STRICT;
INSERT INTO "audit" VALUES(1,900,'local (alice)','local','token.made','0a0b0c0d','view, laptop');
INSERT INTO "audit" VALUES(2,1100,'local (alice)','local','node.labelled','rig1','a "quoted" label');
CREATE TABLE leases (
     address INTEGER PRIMARY KEY,
     mac TEXT NOT NULL,
     expires_ms INTEGER NOT NULL,
     circuit_id TEXT NOT NULL,
     remote_id TEXT NOT NULL
   ) STRICT;
CREATE TABLE node_labels (
     node TEXT PRIMARY KEY,
     label TEXT NOT NULL,
     set_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
INSERT INTO "node_labels" VALUES('rig1','a "quoted" label',1100);
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
INSERT INTO "nodes" VALUES('rig1',1000,1000,'10.0.0.1','r','seen',NULL,NULL,1);
CREATE TABLE timeline (
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
INSERT INTO "timeline" VALUES(1,1000,NULL,NULL,NULL,NULL,NULL,'server','server.started','{"site":"lab"}');
INSERT INTO "timeline" VALUES(2,1005,1,NULL,'rig1','0123456789abcdef',0,'agent','boot.started','{"agent":"0.1.0","mem_total_bytes":1}');
CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     sha256 TEXT NOT NULL,
     role TEXT NOT NULL,
     name TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     revoked_ms INTEGER
   ) STRICT, WITHOUT ROWID;
INSERT INTO "tokens" VALUES('0a0b0c0d','abababababababababababababababababababababababababababababababab','view','laptop',900,NULL);
CREATE TABLE versions (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     created_ms INTEGER NOT NULL,
     content TEXT NOT NULL
   ) STRICT;
CREATE INDEX nodes_last_seen ON nodes (last_seen_ms);
CREATE UNIQUE INDEX timeline_boot ON timeline (boot, node, seq);
CREATE INDEX timeline_node ON timeline (node, id);
CREATE INDEX timeline_mac ON timeline (mac, id);
CREATE INDEX timeline_strangers ON timeline (id) WHERE node IS NULL AND source NOT IN ('server', 'operator');
CREATE INDEX timeline_server ON timeline (id) WHERE node IS NULL AND source IN ('server', 'operator');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('timeline',2);
INSERT INTO "sqlite_sequence" VALUES('audit',2);
PRAGMA user_version = 8;
