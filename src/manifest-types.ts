/** The members of a manifest (docs/manifest.md). Types only. */

/** What is inside an artifact, behind its compression: that the agent sees by itself. */
export type ArtifactFormat = 'tar' | 'cpio' | 'squashfs' | 'raw'
/** What an artifact is for. */
export type ArtifactKind = 'rootfs' | 'plugin'
/** Environment variables of a node. */
export type NodeSettings = Readonly<Record<string, string>>

/** One artifact, member for member as in the JSON. */
export interface ManifestArtifact {
  readonly format: ArtifactFormat
  readonly infohash: string
  readonly kind: ArtifactKind
  readonly name: string
  readonly origins: readonly string[]
  readonly piece_length: number
  /** Base64 of the concatenated SHA-1 of the pieces; empty for more than 16 of them. */
  readonly pieces: string
  readonly sha256: string
  readonly size_bytes: number
}

/** A whole manifest, member for member as in the JSON. */
export interface Manifest {
  readonly artifacts: readonly ManifestArtifact[]
  readonly dht: readonly string[]
  readonly events_url: string
  readonly node: {
    readonly hostname: string
    readonly id: string
    readonly rack: string
    readonly settings: NodeSettings
  }
  readonly nonce: string
  readonly seeders: readonly string[]
  readonly site: string
  readonly time_s: number
  readonly trackers: readonly string[]
  readonly version: number
}
