/** The cache of hashes: valid as long as a file's stamp is unchanged. */

import type Sqlite from 'better-sqlite3'
import { guard } from './open.js'

/** What tells whether a file has changed, from `stat` with `bigint: true`. */
export interface FileStamp {
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** What hashing a file found. */
export interface ArtifactRecord extends FileStamp {
  /** Relative to artifacts/, such as `rootfs/debian.tar.zst`. */
  readonly path: string
  readonly sha256: string
  readonly infohash: string
  readonly pieceLengthBytes: number
  /** The concatenated SHA-1 of the pieces. */
  readonly pieces: Uint8Array
  /** What checking the archive found, as the catalog wrote it; empty: it was not checked. */
  readonly checked: string
}

/** Access to the cache. */
export interface ArtifactTable {
  /** What is known of a path, if the stamp is still the same. */
  find(path: string, stamp: FileStamp): ArtifactRecord | undefined
  /** Remembers one; replaces what was known of the path. */
  put(record: ArtifactRecord): void
  /** Forgets all paths but these. Gives how many went. */
  keepOnly(paths: readonly string[]): number
}

interface Row {
  path: string
  size_bytes: bigint
  mtime_ns: bigint
  ctime_ns: bigint
  inode: bigint
  sha256: string
  infohash: string
  piece_length_bytes: bigint
  pieces: Buffer
  checked: string
}

/** Prepares the statements. */
export function artifactTable(db: Sqlite.Database): ArtifactTable {
  const find = db
    .prepare<[string, number, bigint, bigint, bigint], Row>(
      `SELECT * FROM artifacts
       WHERE path = ? AND size_bytes = ? AND mtime_ns = ? AND ctime_ns = ? AND inode = ?`,
    )
    .safeIntegers(true)
  const put = db.prepare(
    `INSERT OR REPLACE INTO artifacts
       (path, size_bytes, mtime_ns, ctime_ns, inode, sha256, infohash, piece_length_bytes, pieces, checked)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const prune = db.prepare('DELETE FROM artifacts WHERE path NOT IN (SELECT value FROM json_each(?))')
  return {
    find: (path, stamp) =>
      guard('reading the artifact cache', () => {
        const row = find.get(path, stamp.sizeBytes, stamp.mtimeNs, stamp.ctimeNs, int64(stamp.inode))
        if (!row) return undefined
        return {
          path: row.path,
          sizeBytes: Number(row.size_bytes),
          mtimeNs: row.mtime_ns,
          ctimeNs: row.ctime_ns,
          inode: stamp.inode,
          sha256: row.sha256,
          infohash: row.infohash,
          pieceLengthBytes: Number(row.piece_length_bytes),
          pieces: new Uint8Array(row.pieces),
          checked: row.checked,
        }
      }),
    put: (record) =>
      guard('writing the artifact cache', () => {
        const { path, sizeBytes, mtimeNs, ctimeNs, inode, sha256, infohash, pieceLengthBytes, pieces } =
          record
        put.run(
          path,
          sizeBytes,
          mtimeNs,
          ctimeNs,
          int64(inode),
          sha256,
          infohash,
          pieceLengthBytes,
          Buffer.from(pieces),
          record.checked,
        )
      }),
    keepOnly: (paths) => guard('pruning the artifact cache', () => prune.run(JSON.stringify(paths)).changes),
  }
}

/** Inodes are unsigned 64-bit (overlay and network file systems use the top bit), SQLite's integers signed. */
function int64(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}
