/**
 * Makes the signed manifest of a node. The artifacts, nearly all of its bytes, are encoded once for each version
 * and server address; what is left for each node is a few hundred bytes and a signature.
 */
import type { KeyObject } from 'node:crypto'
import type { ArtifactChoice } from '../../src/artifact-choice.js'
import { encodeCanonicalJson } from '../../src/canonical-json.js'
import { BootswarmError } from '../../src/errors.js'
import { SETTINGS_MAX } from '../../src/limits.js'
import {
  encodeManifest,
  type Manifest,
  type ManifestArtifact,
  type NodeSettings,
  signManifest,
} from '../../src/manifest.js'
import { isInline } from '../../src/manifest-limits.js'
import { formatIpPort, formatUrlHost } from '../../src/net.js'
import type { CatalogArtifact } from './versions.js'

/** Encoded artifact lists that are remembered: versions, times the server's addresses, times kinds of nodes. */
const cachedMax = 64

/** The ports that nodes are told. */
export interface ManifestPorts {
  readonly http: number
  readonly https: number
  readonly seeder: number
  readonly dht: number
}

/** What is the same for all nodes. */
export interface ManifestSite {
  readonly site: string
  readonly signingKey: KeyObject
  /** The ports as they are listened on now; 0 for what does not run. */
  readonly ports: () => ManifestPorts
}

/** What is one node's. */
export interface ManifestNode {
  readonly id: string
  readonly hostname: string
  readonly rack: string
  readonly settings: NodeSettings
  /** By what `chooseArtifacts` chose its artifacts. */
  readonly artifacts: ArtifactChoice
  /** 32 lower-case hex digits. */
  readonly nonce: string
  /** The server's address as this node reaches it. */
  readonly serverAddress: string
  readonly timeS: number
}

/** Makes manifests. */
export class ManifestMaker {
  readonly #site: ManifestSite
  readonly #artifacts = new Map<string, Buffer>()

  constructor(site: ManifestSite) {
    this.#site = site
  }

  /**
   * The body of docs/manifest.md. `chosen` are the artifacts of the version that the node boots.
   *
   * @throws BootswarmError MANIFEST_LIMIT
   */
  make(version: number, chosen: readonly CatalogArtifact[], node: ManifestNode): Uint8Array {
    const rest = this.#rest(version, node)
    const artifacts = this.#encodedArtifacts(chosen, node, rest)
    // `artifacts` sorts before all other members, so the object can be put together from its two parts.
    const others = Buffer.from(encodeCanonicalJson(rest))
    const json = Buffer.concat([
      Buffer.from('{"artifacts":'),
      artifacts,
      Buffer.from(','),
      others.subarray(1),
    ])
    return signManifest(json, this.#site.signingKey)
  }

  #rest(version: number, node: ManifestNode): Omit<Manifest, 'artifacts'> {
    const { site } = this.#site
    const settings = Object.keys(node.settings).length
    // Of one node and one group the configuration is checked; a node may be in several by its address.
    if (settings > SETTINGS_MAX) {
      const message = `${node.id} has ${settings} settings of all its groups, at most ${SETTINGS_MAX} are possible`
      throw new BootswarmError('MANIFEST_LIMIT', message)
    }
    const ports = this.#site.ports()
    const host = formatUrlHost(node.serverAddress)
    return {
      dht: ports.dht === 0 ? [] : [formatIpPort(node.serverAddress, ports.dht)],
      events_url: `https://${host}:${ports.https}/v1/nodes/${node.id}/events`,
      node: { hostname: node.hostname, id: node.id, rack: node.rack, settings: node.settings },
      nonce: node.nonce,
      seeders: ports.seeder === 0 ? [] : [formatIpPort(node.serverAddress, ports.seeder)],
      site,
      time_s: node.timeS,
      trackers: ports.http === 0 ? [] : [`http://${host}:${ports.http}/announce`],
      version,
    }
  }

  #encodedArtifacts(
    chosen: readonly CatalogArtifact[],
    node: ManifestNode,
    rest: Omit<Manifest, 'artifacts'>,
  ): Buffer {
    const key = `${rest.version} ${node.serverAddress} ${JSON.stringify(node.artifacts)}`
    const cached = this.#artifacts.get(key)
    if (cached !== undefined) return cached
    const base = `https://${formatUrlHost(node.serverAddress)}:${this.#site.ports().https}/v1/artifacts`
    const artifacts = chosen.flatMap((artifact) => toManifest(artifact, base))
    // Every limit is checked once; what differs from node to node was checked with the configuration.
    encodeManifest({ ...rest, artifacts })
    const encoded = Buffer.from(encodeCanonicalJson(artifacts))
    const oldest = this.#artifacts.keys().next().value
    if (this.#artifacts.size >= cachedMax && oldest !== undefined) this.#artifacts.delete(oldest)
    this.#artifacts.set(key, encoded)
    return encoded
  }
}

function toManifest(artifact: CatalogArtifact, base: string): ManifestArtifact[] {
  const { kind, torrent } = artifact
  // Neither happens: boot files are not chosen, all others are seeded.
  if (kind === 'boot' || torrent === undefined) return []
  const size = { size_bytes: artifact.sizeBytes, piece_length: torrent.pieceLengthBytes }
  return [
    {
      format: artifact.format,
      infohash: torrent.infohash,
      kind,
      name: artifact.name,
      origins: [`${base}/${artifact.sha256}/${encodeURIComponent(artifact.name)}`],
      piece_length: size.piece_length,
      pieces: isInline(size) ? torrent.piecesBase64 : '',
      sha256: artifact.sha256,
      size_bytes: size.size_bytes,
    },
  ]
}
