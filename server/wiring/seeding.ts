/**
 * Keeps seeder, tracker, DHT node and LSD at the torrents of the served versions.
 *
 * Older versions are handed out first. Nobody begins to boot them any more, so what is missing of them is little and
 * soon gone, and who waits for it was there first: the nodes that they make whole help with the newer version, which
 * loses no more than that time. The other way round every machine in mid-boot would stand still for a whole version.
 */
import type { CatalogArtifact, LiveVersions } from '../catalog/versions.js'
import type { Seeder } from '../swarm/seeder.js'

/** Pause before an addition that failed is tried again, milliseconds: doubles up to the longest. */
const retryMs = { first: 1000, longest: 60_000 } as const

/** What is told the whole list of infohashes. */
export type TorrentSink = (infohashes: readonly string[]) => void

/** What seeding needs. */
export interface SeedingOptions {
  readonly seeder: Pick<Seeder, 'add' | 'remove'>
  readonly sinks: readonly TorrentSink[]
  readonly pathOf: (sha256: string) => string
  readonly torrentOf: (artifact: CatalogArtifact) => Uint8Array | undefined
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Told of the first failure in a row. */
  readonly onError: (error: unknown, artifact: CatalogArtifact) => void
  /** What failed before is seeded now. */
  readonly onRecovered: (artifact: CatalogArtifact) => void
}

/** A torrent that is wanted. */
interface Wanted {
  readonly artifact: CatalogArtifact
  readonly torrent: Uint8Array
  /** Its place in the order of handing out. */
  priority: number
  failures: number
  callOff: (() => void) | undefined
}

/** Follows the catalog. */
export class Seeding {
  readonly #options: SeedingOptions
  readonly #wanted = new Map<string, Wanted>()

  constructor(options: SeedingOptions) {
    this.#options = options
  }

  /** Seeds exactly the torrents of these versions from now on, in the order of {@link handOutOrder}. */
  update(live: LiveVersions): void {
    const { seeder, sinks, torrentOf } = this.#options
    const torrents = live.torrents
    for (const [infohash, wanted] of this.#wanted) {
      if (torrents.has(infohash)) continue
      wanted.callOff?.()
      this.#wanted.delete(infohash)
      seeder.remove(infohash).catch(() => {})
    }
    for (const [priority, infohash] of handOutOrder(live).entries()) {
      const known = this.#wanted.get(infohash)
      if (known?.priority === priority) continue
      const artifact = torrents.get(infohash)
      const torrent = known?.torrent ?? (artifact === undefined ? undefined : torrentOf(artifact))
      if (artifact === undefined || torrent === undefined) continue
      const wanted = known ?? { artifact, torrent, priority, failures: 0, callOff: undefined }
      wanted.priority = priority
      this.#wanted.set(infohash, wanted)
      // One that failed and waits is added with the new priority when its time has come.
      if (wanted.callOff === undefined) this.#add(infohash, wanted)
    }
    for (const sink of sinks) sink([...torrents.keys()])
  }

  /** The seeder has lost one that it had. */
  lost(infohash: string, error: unknown): void {
    const wanted = this.#wanted.get(infohash)
    if (wanted !== undefined) this.#failed(infohash, wanted, error)
  }

  /** Tries nothing again. */
  stop(): void {
    for (const { callOff } of this.#wanted.values()) callOff?.()
    this.#wanted.clear()
  }

  #add(infohash: string, wanted: Wanted): void {
    const { seeder, pathOf, onRecovered } = this.#options
    const { artifact, torrent, priority } = wanted
    const { sha256, sizeBytes } = artifact
    const pieceLength = artifact.torrent?.pieceLengthBytes ?? 0
    seeder.add({ infohash, torrent, path: pathOf(sha256), sizeBytes, pieceLength, priority }).then(
      () => {
        if (this.#wanted.get(infohash) === wanted && wanted.failures > 0) onRecovered(artifact)
        wanted.failures = 0
      },
      (error: unknown) => this.#failed(infohash, wanted, error),
    )
  }

  #failed(infohash: string, wanted: Wanted, error: unknown): void {
    // Two additions of one torrent (its priority has changed) may fail together.
    if (this.#wanted.get(infohash) !== wanted || wanted.callOff !== undefined) return
    const { after, onError } = this.#options
    if (wanted.failures === 0) onError(error, wanted.artifact)
    const ms = Math.min(retryMs.first * 2 ** wanted.failures, retryMs.longest)
    wanted.failures += 1
    wanted.callOff = after(ms, () => {
      wanted.callOff = undefined
      this.#add(infohash, wanted)
    })
  }
}

/** The infohashes of all versions, each once: older versions first, within one in the order of unpacking. */
export function handOutOrder(live: LiveVersions): string[] {
  const all = live.all.flatMap(({ artifacts }) => artifacts.map(({ torrent }) => torrent?.infohash))
  return [...new Set(all)].filter((infohash) => infohash !== undefined)
}
