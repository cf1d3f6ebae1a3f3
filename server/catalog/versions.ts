/**
 * The versions that are served, and the files that they consist of. Answers the questions of the HTTP routes.
 */
import type { CatalogArtifact, StoredVersion } from './types.js'

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
