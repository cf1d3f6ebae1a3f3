/**
 * The catalog's view of the database: versions as JSON, hashes by path and stamp.
 */
import { join } from 'node:path'
import { artifactDirs } from '../../src/artifact-dirs.js'
import type { ArtifactFormat } from '../../src/manifest-types.js'
import type { Store } from '../store/store.js'
import type { FoundFile } from './scan.js'
import type { TorrentFacts } from './torrent.js'
import type { CatalogArtifact, StoredVersion } from './versions.js'

/** What the agent found in an archive that nodes can unpack. */
export interface CheckRecord {
  /** `Checker.id`: another agent may see it otherwise. */
  readonly by: string
  readonly format: ArtifactFormat
}

/** A file that was taken in before, recognised by its stamp. */
export interface IngestRecord {
  readonly sha256: string
  /** Missing: it was not checked. */
  readonly check?: CheckRecord
  /** Missing for boot files. */
  readonly torrent?: TorrentFacts
}

/** What outlasts the process. Each call is one transaction. */
export interface CatalogStore {
  /** Oldest first. Versions that cannot be read are left out. */
  loadVersions(): StoredVersion[]
  /** Adds a version and gives its number, greater than any before. */
  publishVersion(artifacts: readonly CatalogArtifact[], createdMs: number): number
  /** Forgets all versions but these. */
  keepVersions(versions: readonly number[]): void
  findIngest(file: FoundFile): IngestRecord | undefined
  saveIngest(file: FoundFile, record: IngestRecord): void
  /** Forgets what was taken in of all files but these. */
  keepIngests(files: readonly FoundFile[]): void
}

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
      const { sha256, infohash, pieceLengthBytes } = record
      const check = parseCheck(record.checked)
      const known = check === undefined ? { sha256 } : { sha256, check }
      if (infohash === '') return known
      const piecesBase64 = Buffer.from(record.pieces).toString('base64')
      return { ...known, torrent: { infohash, pieceLengthBytes, piecesBase64 } }
    },
    saveIngest: (file, { sha256, torrent, check }: IngestRecord) => {
      store.artifacts.put({
        path: pathOf(file),
        ...stampOf(file),
        sha256,
        infohash: torrent?.infohash ?? '',
        pieceLengthBytes: torrent?.pieceLengthBytes ?? 0,
        pieces: Buffer.from(torrent?.piecesBase64 ?? '', 'base64'),
        checked: check === undefined ? '' : JSON.stringify(check),
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

/** As {@link catalogRecords} wrote it; undefined for what was not checked. */
function parseCheck(text: string): CheckRecord | undefined {
  return text === '' ? undefined : (JSON.parse(text) as CheckRecord)
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
