/**
 * The answers to the HTTP routes' questions, from catalog, registry and configuration.
 */
import type { Hold } from '../../src/admit.js'
import type { KernelArch } from '../../src/arch.js'
import { BootswarmError } from '../../src/errors.js'
import { formatUrlHost } from '../../src/net.js'
import type { NodeConfig } from '../../src/node-config.js'
import type { TicketMode } from '../../src/tickets.js'
import type { Catalog } from '../catalog/catalog.js'
import { chooseArtifacts } from '../catalog/choice.js'
import type { ManifestMaker } from '../catalog/manifest-maker.js'
import { torrentFile } from '../catalog/torrent.js'
import type { CatalogArtifact } from '../catalog/versions.js'
import type { HttpServices, NetbootAnswers, ServedFile } from '../http/services.js'
import type { NodeProofs } from '../nodes/node-proofs.js'
import type { NodeRegistry } from '../nodes/registry.js'
import { isForgotten } from '../swarm/boot-again.js'
import type { Tracker } from '../swarm/tracker.js'

/** What the answers are made from. */
export interface AnswerSources {
  readonly catalog: Catalog
  readonly registry: NodeRegistry
  readonly proofs: Pick<NodeProofs, 'ofManifest' | 'checkReport'>
  readonly maker: ManifestMaker
  /** What a node gets in this boot. */
  readonly describeBoot: (id: string, boot: string, address: string) => NodeConfig
  /** What holds a node back from booting, if anything does. */
  readonly holdOf: (id: string, address: string) => Hold | undefined
  /** Whether nodes that prove nothing boot (`tickets`). */
  readonly ticketMode: () => TicketMode
  /** A node tells the architecture of its processor, before it is described. */
  readonly archSeen: (id: string, arch: KernelArch) => void
  /** The address that a client uses for us, from the one that its connection arrived at. */
  readonly reachedAt: (address: string) => string
  readonly httpPort: () => number
  readonly introduce: Tracker['introduce']
  readonly forget: Tracker['forget']
  readonly status: () => object
  /** What a node that has reported is told about its seeding. */
  readonly seedS: (node: string) => number | undefined
  /** MACs of machines that a node which seeds shall wake now; each is told once. */
  readonly wakesFor: (node: string) => readonly string[]
  readonly admitReport: HttpServices['admitReport']
  readonly unverifiedReceived: HttpServices['unverifiedReceived']
  readonly netboot: NetbootAnswers
  readonly bytesServed: HttpServices['bytesServed']
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
}

/** An answer has so many machines, and an action begins with so many: who wakes some asks again soon, for the rest. Seconds. */
const wakeAgainS = 5

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
    manifest: ({ node: id, nonce, boot, address, serverAddress, arch, proof, listening }) => {
      const standing = sources.proofs.ofManifest({ node: id, address, proof })
      if (arch !== undefined && standing !== 'stranger') sources.archSeen(id, arch)
      const hold = sources.holdOf(id, address)
      if (hold !== undefined) throw new BootswarmError(hold.code, `${id} does not boot: ${hold.why}`)
      if (sources.ticketMode() === 'required' && standing !== 'proven') throw ticketRequired(id)
      // What waits for the node's next boot, a stranger does not take.
      const config = sources.describeBoot(id, standing === 'stranger' ? '' : boot, address)
      const { version, artifacts } = bootable(catalog, registry.versionOfBoot(id, boot), config)
      const timeS = Math.floor(sources.nowMs() / 1000)
      const node = { ...config, id, nonce, serverAddress: reachedAt(serverAddress), timeS }
      const body = sources.maker.make(version, artifacts, node)
      if (standing !== 'stranger') noteServed(id, address, boot, version, sources)
      if (listening === undefined) return body
      const infohashes = artifacts.flatMap(({ torrent }) => torrent?.infohash ?? [])
      const peers = sources.introduce(infohashes, { ...listening, address })
      return Buffer.concat([body, Buffer.from('\n'), peers])
    },
    admitReport: sources.admitReport,
    checkReport: (node, address, proof) => sources.proofs.checkReport({ node, address, proof }),
    eventsReceived: async (node, address, events) => {
      await registry.eventsReceived(node, address, events)
      const seedS = sources.seedS(node)
      // An older agent knows nothing of it, and one that is told to end may have ended.
      const wakes = events.some(({ type, data }) => type === 'seeding' && data.wakes === true)
      if (!wakes || seedS === undefined || seedS === 0) return { seedS, wake: [] }
      const wake = sources.wakesFor(node)
      return { seedS: wake.length === 0 ? seedS : Math.min(seedS, wakeAgainS), wake }
    },
    unverifiedReceived: sources.unverifiedReceived,
    status: sources.status,
    netboot: sources.netboot,
    bytesServed: sources.bytesServed,
  }
}

function ticketRequired(id: string): BootswarmError {
  const why = 'it was not started by the server’s boot script, which `tickets: required` wants'
  return new BootswarmError('TICKET_REQUIRED', `${id} does not boot: ${why}`)
}

/** A node has its manifest: it boots, and nobody is to look for it where an earlier boot of it was. */
function noteServed(
  id: string,
  address: string,
  boot: string,
  version: number,
  { registry, forget }: AnswerSources,
): void {
  const known = registry.get(id)
  const before = known && { ...known, isLastThere: registry.idAt(known.address) === id }
  if (isForgotten(boot, address, before)) forget(address)
  registry.manifestServed(id, address, boot, version)
}

/**
 * The version that a node gets, and what of it. One that is booting keeps the version it began with, as long as that is
 * served and has its root file system.
 *
 * @throws BootswarmError CATALOG_EMPTY, PROFILE_ARTIFACT_MISSING
 */
function bootable(
  { live }: Catalog,
  begun: number | undefined,
  { artifacts: choice }: NodeConfig,
): { readonly version: number; readonly artifacts: readonly CatalogArtifact[] } {
  for (const version of [begun === undefined ? undefined : live.get(begun), live.current]) {
    const artifacts = version && chooseArtifacts(version, choice)
    if (artifacts !== undefined) return { version: version?.version ?? 0, artifacts }
  }
  if (choice.rootfs === undefined) {
    throw new BootswarmError(
      'CATALOG_EMPTY',
      'there is no root file system yet: put one into artifacts/rootfs/',
    )
  }
  throw new BootswarmError(
    'PROFILE_ARTIFACT_MISSING',
    `there is no root file system ${choice.rootfs}, which the configuration gives to this node: put it into artifacts/rootfs/`,
  )
}

function served(catalog: Catalog, artifact: CatalogArtifact | undefined): ServedFile | undefined {
  if (artifact === undefined) return undefined
  const { sizeBytes, sha256, modifiedS, kind } = artifact
  return { path: catalog.storeDir.path(sha256), sizeBytes, sha256, modifiedS, isBoot: kind === 'boot' }
}
