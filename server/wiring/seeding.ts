/**
 * Keeps seeder, tracker, DHT node and LSD at the torrents of the served versions.
 */
import type { CatalogArtifact } from '../catalog/types.js'
import type { LiveVersions } from '../catalog/versions.js'
import type { Seeder } from '../swarm/types.js'

/** What is told the whole list of infohashes. */
export type TorrentSink = (infohashes: readonly string[]) => void

/** What seeding needs. */
export interface SeedingOptions {
  readonly seeder: Seeder
  readonly sinks: readonly TorrentSink[]
  readonly pathOf: (sha256: string) => string
  readonly torrentOf: (artifact: CatalogArtifact) => Uint8Array | undefined
  readonly onError: (error: unknown, artifact: CatalogArtifact) => void
}

/** Follows the catalog. */
export class Seeding {
  readonly #options: SeedingOptions
  #seeded = new Map<string, CatalogArtifact>()

  constructor(options: SeedingOptions) {
    this.#options = options
  }

  /** Seeds exactly the torrents of these versions from now on; the current version's are handed out first. */
  update(live: LiveVersions): void {
    const { seeder, sinks, pathOf, torrentOf, onError } = this.#options
    const wanted = live.torrents
    const current = new Set(live.current?.artifacts.map(({ torrent }) => torrent?.infohash))
    for (const infohash of this.#seeded.keys()) {
      if (!wanted.has(infohash)) seeder.remove(infohash).catch(() => {})
    }
    for (const [infohash, artifact] of wanted) {
      const torrent = this.#seeded.has(infohash) ? undefined : torrentOf(artifact)
      if (torrent === undefined || artifact.torrent === undefined) continue
      const { sha256, sizeBytes } = artifact
      const { pieceLengthBytes: pieceLength } = artifact.torrent
      const priority = current.has(infohash) ? 0 : 1
      seeder
        .add({ infohash, torrent, path: pathOf(sha256), sizeBytes, pieceLength, priority })
        .catch((error: unknown) => onError(error, artifact))
    }
    this.#seeded = new Map(wanted)
    for (const sink of sinks) sink([...wanted.keys()])
  }
}
