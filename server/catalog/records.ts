/**
 * The catalog's view of the database: versions as JSON, hashes by path and stamp.
 */
import { join } from 'node:path'
import { artifactDirs } from '../../src/artifact-dirs.js'
import type { Store } from '../store/store.js'
import type { FoundFile } from './scan.js'
import type { CatalogArtifact, CatalogStore, IngestRecord, StoredVersion } from './types.js'

/** Puts the catalog's records into the server's store. */
export function catalogRecords(store: Pick<Store, 'artifacts' | 'versions'>): CatalogStore {
  return {
    loadVersions: () => {
      const rows = store.versions.list().reverse()
      return rows.flatMap((row, index): StoredVersion[] => {
        const artifacts = parseContent(row.content)
        if (artifacts === undefined) return []
        const next = rows[index + 1]
        const version = { version: row.number, createdMs: row.createdMs, artifacts }
        return [next === undefined ? version : { ...version, supersededMs: next.createdMs }]
      })
    },
    publishVersion: (artifacts, createdMs) =>
      store.versions.publish(JSON.stringify({ artifacts }), createdMs),
    keepVersions: (versions) => {
      store.versions.prune(0, versions)
    },
    findIngest: (file) => {
      const record = store.artifacts.find(pathOf(file), stampOf(file))
      if (record === undefined) return undefined
      if (record.infohash === '') return { sha256: record.sha256 }
      const { infohash, pieceLengthBytes } = record
      const piecesBase64 = Buffer.from(record.pieces).toString('base64')
      return { sha256: record.sha256, torrent: { infohash, pieceLengthBytes, piecesBase64 } }
    },
    saveIngest: (file, { sha256, torrent }: IngestRecord) => {
      store.artifacts.put({
        path: pathOf(file),
        ...stampOf(file),
        sha256,
        infohash: torrent?.infohash ?? '',
        pieceLengthBytes: torrent?.pieceLengthBytes ?? 0,
        pieces: Buffer.from(torrent?.piecesBase64 ?? '', 'base64'),
      })
    },
    keepIngests: (files) => {
      store.artifacts.keepOnly(files.map(pathOf))
    },
  }
}

function pathOf(file: FoundFile): string {
  return join(artifactDirs[file.kind], file.name)
}

function stampOf(file: FoundFile) {
  const { sizeBytes, mtimeNs, ctimeNs, ino } = file.stamp
  return { sizeBytes, mtimeNs: BigInt(mtimeNs), ctimeNs: BigInt(ctimeNs), inode: BigInt(ino) }
}

/** We wrote it ourselves, in one transaction; still, an older server may have written it otherwise. */
function parseContent(content: string): CatalogArtifact[] | undefined {
  try {
    const value: unknown = JSON.parse(content)
    if (typeof value !== 'object' || value === null || !('artifacts' in value)) return undefined
    return Array.isArray(value.artifacts) ? (value.artifacts as CatalogArtifact[]) : undefined
  } catch {
    return undefined
  }
}
