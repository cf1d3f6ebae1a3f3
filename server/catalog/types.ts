/** What the catalog holds and remembers. Types only. */
import type { ArtifactFormat } from '../../src/manifest-types.js'
import type { CatalogKind } from './names.js'
import type { FoundFile } from './scan.js'

/** The torrent of an artifact, without the `.torrent` file itself. */
export interface TorrentFacts {
  /** 40 lower-case hex digits. */
  readonly infohash: string
  readonly pieceLengthBytes: number
  /** Base64 of the concatenated SHA-1 of the pieces. */
  readonly piecesBase64: string
}

/** One published file. */
export interface CatalogArtifact {
  readonly kind: CatalogKind
  readonly name: string
  readonly sizeBytes: number
  /** 64 lower-case hex digits. */
  readonly sha256: string
  readonly format: ArtifactFormat
  /** Time of the file when it was taken in, seconds since 1970. */
  readonly modifiedS: number
  /** Missing for boot files: they are served over HTTP only. */
  readonly torrent?: TorrentFacts
}

/** A whole: what a node boots from. Never changes once published. */
export interface CatalogVersion {
  /** 1 and up; later is greater. */
  readonly version: number
  readonly createdMs: number
  /** In unpack order: root file system, plugins by name, boot files by name. */
  readonly artifacts: readonly CatalogArtifact[]
}

/** A version with the time when a newer one took its place; the newest has none. */
export interface StoredVersion extends CatalogVersion {
  readonly supersededMs?: number
}

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
