/**
 * Versions and the artifacts that they consist of; those that are served answer the questions of the HTTP routes.
 */
import type { ArtifactFormat } from '../../src/manifest-types.js'
import type { CatalogKind } from './names.js'
import type { TorrentFacts } from './torrent.js'

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

/** The served versions at one moment. */
export class LiveVersions {
  readonly #versions: readonly StoredVersion[]
  readonly #byNumber = new Map<number, StoredVersion>()
  readonly #bySha256 = new Map<string, CatalogArtifact[]>()
  readonly #byInfohash = new Map<string, CatalogArtifact>()

  /** Takes the versions oldest first. */
  constructor(versions: readonly StoredVersion[]) {
    this.#versions = versions
    for (const version of versions) {
      this.#byNumber.set(version.version, version)
      for (const artifact of version.artifacts) {
        const same = this.#bySha256.get(artifact.sha256) ?? []
        this.#bySha256.set(artifact.sha256, [...same, artifact])
        // Newer versions overwrite: the newest first in the order below.
        if (artifact.torrent !== undefined) this.#byInfohash.set(artifact.torrent.infohash, artifact)
      }
    }
  }

  /** All of them, oldest first. */
  get all(): readonly StoredVersion[] {
    return this.#versions
  }

  /** The newest. */
  get current(): StoredVersion | undefined {
    return this.#versions.at(-1)
  }

  /** A version by its number, if it is still served. */
  get(version: number): StoredVersion | undefined {
    return this.#byNumber.get(version)
  }

  /** The artifact of a SHA-256 and a name, newest first. */
  find(sha256: string, name: string): CatalogArtifact | undefined {
    return this.#bySha256.get(sha256)?.findLast((artifact) => artifact.name === name)
  }

  /** A boot file of the current version. */
  findBoot(name: string): CatalogArtifact | undefined {
    return this.current?.artifacts.find((artifact) => artifact.kind === 'boot' && artifact.name === name)
  }

  /** All artifacts that are seeded, by infohash. */
  get torrents(): ReadonlyMap<string, CatalogArtifact> {
    return this.#byInfohash
  }

  /** All SHA-256 that are needed. */
  get sha256s(): Set<string> {
    return new Set(this.#bySha256.keys())
  }
}
