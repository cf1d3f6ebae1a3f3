/**
 * The answers to the HTTP routes' questions, from catalog, registry and configuration.
 */
import { BootswarmError } from '../../src/errors.js'
import { formatUrlHost } from '../../src/net.js'
import type { NodeConfig } from '../../src/node-config.js'
import type { Catalog } from '../catalog/catalog.js'
import { type ManifestMaker, manifestInfohashes } from '../catalog/manifest-maker.js'
import { torrentFile } from '../catalog/torrent.js'
import type { CatalogArtifact } from '../catalog/versions.js'
import type { HttpServices, NetbootAnswers, ServedFile } from '../http/services.js'
import type { NodeRegistry } from '../nodes/registry.js'
import { forgottenAddress } from '../swarm/boot-again.js'
import type { Tracker } from '../swarm/tracker.js'

/** What the answers are made from. */
export interface AnswerSources {
  readonly catalog: Catalog
  readonly registry: NodeRegistry
  readonly maker: ManifestMaker
  readonly describe: (id: string, address: string) => NodeConfig
  /** The address that a client uses for us, from the one that its connection arrived at. */
  readonly reachedAt: (address: string) => string
  readonly httpPort: () => number
  readonly introduce: Tracker['introduce']
  readonly forget: Tracker['forget']
  readonly status: () => object
  /** What a node that has reported is told about its seeding. */
  readonly seedS: (node: string) => number | undefined
  readonly admitReport: HttpServices['admitReport']
  readonly unverifiedReceived: HttpServices['unverifiedReceived']
  readonly netboot: NetbootAnswers
  readonly bytesServed: HttpServices['bytesServed']
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
}

/** The `.torrent` file of an artifact, if it is seeded. */
export function torrentOf(artifact: CatalogArtifact, announceUrl?: string): Uint8Array | undefined {
  return artifact.torrent && torrentFile(artifact.name, artifact.sizeBytes, artifact.torrent, announceUrl)
}

/** Puts the answers together. */
export function makeAnswers(sources: AnswerSources): HttpServices {
  const { catalog, registry, reachedAt } = sources
  return {
    version: () => catalog.live.current?.version ?? 0,
    artifact: (sha256, name) => served(catalog, catalog.live.find(sha256, name)),
    bootFile: (name) => served(catalog, catalog.live.findBoot(name)),
    torrent: (infohash, serverAddress) => {
      const artifact = catalog.live.torrents.get(infohash)
      const host = formatUrlHost(reachedAt(serverAddress))
      return artifact && torrentOf(artifact, `http://${host}:${sources.httpPort()}/announce`)
    },
    manifest: ({ node: id, nonce, boot, address, serverAddress, listening }) => {
      // A node that is booting keeps the version it began with, as long as that is served.
      const begun = registry.versionOfBoot(id, boot)
      const version = (begun === undefined ? undefined : catalog.live.get(begun)) ?? catalog.live.current
      if (version?.artifacts[0]?.kind !== 'rootfs') {
        throw new BootswarmError(
          'CATALOG_EMPTY',
          'there is no root file system yet: put one into artifacts/rootfs/',
        )
      }
      const timeS = Math.floor(sources.nowMs() / 1000)
      const node = {
        ...sources.describe(id, address),
        id,
        nonce,
        serverAddress: reachedAt(serverAddress),
        timeS,
      }
      const body = sources.maker.make(version, node)
      const known = registry.get(id)
      const gone = forgottenAddress(
        boot,
        known && { ...known, isLastThere: registry.idAt(known.address) === id },
      )
      if (gone !== undefined) sources.forget(gone)
      registry.manifestServed(id, address, boot, version.version)
      if (listening === undefined) return body
      const peers = sources.introduce(manifestInfohashes(version), { ...listening, address })
      return Buffer.concat([body, Buffer.from('\n'), peers])
    },
    admitReport: sources.admitReport,
    eventsReceived: async (node, address, events) => {
      await registry.eventsReceived(node, address, events)
      return sources.seedS(node)
    },
    unverifiedReceived: sources.unverifiedReceived,
    status: sources.status,
    netboot: sources.netboot,
    bytesServed: sources.bytesServed,
  }
}

function served(catalog: Catalog, artifact: CatalogArtifact | undefined): ServedFile | undefined {
  if (artifact === undefined) return undefined
  const { sizeBytes, sha256, modifiedS, kind } = artifact
  return { path: catalog.storeDir.path(sha256), sizeBytes, sha256, modifiedS, isBoot: kind === 'boot' }
}
