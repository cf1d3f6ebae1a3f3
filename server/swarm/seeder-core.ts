/**
 * The seeder inside its process: webtorrent accepts connections and does the handshakes; who gets
 * what is decided by {@link Handout} (agents) and {@link Choker} (stock clients); {@link Upload} sends.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { totalmem } from 'node:os'
import type Wire from 'bittorrent-protocol'
import WebTorrent, { type Torrent } from 'webtorrent'
import { TokenBucket } from '../../src/token-bucket.js'
import { openFilesMax } from '../process/descriptors.js'
import { Choker } from './choker.js'
import { Grants } from './grants.js'
import { Handout } from './handout.js'
import { type Link, type LinkHandlers, Links } from './links.js'
import { MetadataParts } from './metadata-parts.js'
import type { CoreHooks, RackPlace, ToSeeder } from './seeder-messages.js'
import type { SeederStats } from './seeder-stats.js'
import { UnusedStore } from './unused-store.js'
import { guardAllWires } from './wire.js'

/** More connections than this are not held; a farm of 500 with 4 artifacts needs 2,000. */
const connectionsMost = 8_192
/** What a connection takes (measured), and the part of the machine's memory that all together may take. */
const connectionBytes = 128 * 1024
const memoryPart = 1 / 8
/** Descriptors for what is no connection: files that are seeded, the event loop's own, the channel to the daemon. */
const otherFilesMax = 1_024
/**
 * Connections that may wait to be accepted: Linux's own limit (`net.core.somaxconn`). Where there are more the kernel drops a
 * SYN, and its sender tries again after 1, 3 and 7 s; Node.js asks for room for 511, which one client fills at once.
 */
const backlog = 4_096
const tickMs = 50
/** What stock clients may take while agents are being served. */
const stockBytesPerSecond = 8 << 20
const racksKnownMax = 8_192
/** Our handshake leaves as soon as it is whole; at the latest then. */
const corkedMs = 100
/** What the log is told about crowding and failing at most so often. */
const tellEveryMs = 60_000

type AddMessage = Extract<ToSeeder, { type: 'add' }>

interface Seeded {
  spec: AddMessage
  metadata: MetadataParts
  file: FileHandle
  torrent: Torrent
  uploadedBytes: number
  peers: Set<Peer>
}

/** One connection. */
interface Peer {
  readonly link: Link
  readonly seeded: Seeded
  role: 'undecided' | 'waiting for its rack' | 'agent' | 'stock'
  unchoked: boolean
  interested: boolean
  have: Uint8Array
  grants: Grants
}

/** Seeds files to agents and stock clients. */
export class SeederCore {
  readonly #hooks: CoreHooks
  readonly #client: WebTorrent
  readonly #handout = new Handout(Math.random)
  readonly #choker = new Choker()
  readonly #stockBucket = new TokenBucket(stockBytesPerSecond)
  readonly #seeded = new Map<string, Seeded>()
  /** Additions under way: asked for twice they are done once, and a removal waits for them. */
  readonly #adding = new Map<string, Promise<void>>()
  readonly #links: Links
  readonly #peers = new Map<number, Peer>()
  readonly #racks = new Map<string, RackPlace>()
  readonly #toldMs = new Map<string, number>()
  #uploadedBytes = 0
  #pollPending = false

  constructor(port: number, hooks: CoreHooks, listening: (port: number) => void) {
    this.#hooks = hooks
    guardAllWires()
    this.#client = new WebTorrent({
      // Passed on to net.Server.listen as it is.
      torrentPort: { port, backlog },
      dht: false,
      lsd: false,
      tracker: false,
      utPex: false,
      natUpnp: false,
      natPmp: false,
      utp: false,
      webSeeds: false,
      seedOutgoingConnections: false,
      secure: 1,
    })
    this.#links = this.#listen()
    this.#client.on('error', (error: NodeJS.ErrnoException) => {
      hooks.failed(error.code === 'EADDRINUSE', error.message)
    })
    this.#client.once('listening', () => listening(this.#client.torrentPort))
    setInterval(() => this.#tick(), tickMs)
  }

  /** Takes the place of webtorrent's own listeners; its errors at the start (a port that is taken) stay fatal. */
  #listen(): Links {
    const pool = this.#client._connPool
    pool.tcpServer.off('connection', pool._onTCPConnectionBound)
    this.#client.once('listening', () => pool.tcpServer.off('error', pool._onTCPError))
    return new Links(pool.tcpServer, connectionsMax(), {
      accepted: (conn) => {
        // The library writes its handshakes in four parts: they shall leave in one packet.
        conn.cork()
        setTimeout(() => conn.uncork(), corkedMs)
        pool._onTCPConnectionBound(conn)
      },
      log: (event, data) => this.#tell(event, data),
    })
  }

  #tell(event: string, data: Record<string, string | number>): void {
    const nowMs = performance.now()
    if (nowMs - (this.#toldMs.get(event) ?? Number.NEGATIVE_INFINITY) < tellEveryMs) return
    this.#toldMs.set(event, nowMs)
    this.#hooks.log('warn', event, data)
  }

  /** Seeds a file; one that is seeded gets another priority. @throws Error when it cannot be read or has another size */
  add(spec: AddMessage): Promise<void> {
    const known = this.#adding.get(spec.infohash)
    if (known !== undefined) {
      return known.then(() => this.#handout.prioritise(spec.infohash, spec.priority))
    }
    const adding = this.#add(spec).finally(() => this.#adding.delete(spec.infohash))
    this.#adding.set(spec.infohash, adding)
    return adding
  }

  async #add(spec: AddMessage): Promise<void> {
    if (this.#seeded.has(spec.infohash)) {
      this.#handout.prioritise(spec.infohash, spec.priority)
      return
    }
    const file = await open(spec.path, 'r')
    try {
      const { size } = await file.stat()
      if (size !== spec.sizeBytes) throw new Error(`${spec.path} has ${size} bytes, not ${spec.sizeBytes}`)
      await this.#addTorrent(spec, file)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async remove(infohash: string): Promise<void> {
    await this.#adding.get(infohash)?.catch(() => {})
    const seeded = this.#seeded.get(infohash)
    if (seeded === undefined) return
    this.#seeded.delete(infohash)
    this.#handout.removeTorrent(infohash)
    for (const { link } of seeded.peers) this.#links.drop(link)
    await new Promise<void>((resolve) => seeded.torrent.destroy({}, () => resolve()))
    await seeded.file.close()
  }

  /** The answer to {@link CoreHooks.rackWanted}. */
  rack(address: string, place: RackPlace): void {
    if (this.#racks.size >= racksKnownMax) this.#racks.clear()
    this.#racks.set(address, place)
    for (const peer of this.#peers.values()) {
      if (peer.link.address !== address) continue
      if (peer.role === 'waiting for its rack') this.#joinAgent(peer, place)
      else if (peer.role === 'agent') this.#handout.move(peer.link.id, place.rack, place.depth)
    }
  }

  /** What was said of racks may be true no longer: asks for those of all agents again. */
  racksChanged(): void {
    this.#racks.clear()
    const agents = [...this.#peers.values()].filter(({ role }) => role === 'agent')
    for (const address of new Set(agents.map(({ link }) => link.address))) this.#hooks.rackWanted(address)
  }

  stats(): Pick<SeederStats, 'uploadedBytes' | 'peers' | 'torrents'> {
    const torrents = [...this.#seeded.values()].map((seeded) => ({
      infohash: seeded.spec.infohash,
      uploadedBytes: seeded.uploadedBytes,
      peers: seeded.peers.size,
      ...this.#handout.stats(seeded.spec.infohash),
    }))
    return { uploadedBytes: this.#uploadedBytes, peers: this.#peers.size, torrents }
  }

  #addTorrent(spec: AddMessage, file: FileHandle): Promise<void> {
    const metadata = new MetadataParts(spec.torrent)
    return new Promise((resolve, reject) => {
      const torrent = this.#client.add(
        spec.torrent,
        // The store is never asked: requests go past webtorrent, straight to the file.
        { store: UnusedStore, skipVerify: true, uploads: 0, storeCacheSlots: 0, path: '/nonexistent' },
        () => {
          if (torrent.infoHash !== spec.infohash) {
            torrent.destroy()
            reject(new Error(`the torrent's infohash is ${torrent.infoHash}, not ${spec.infohash}`))
            return
          }
          clearInterval(torrent._rechokeIntervalId)
          // It counts every piece of every peer anew for each that comes, and a seeder has no use for it.
          torrent.off('wire', torrent._rarityMap._onWire)
          const seeded: Seeded = { spec, metadata, file, torrent, uploadedBytes: 0, peers: new Set() }
          this.#seeded.set(spec.infohash, seeded)
          this.#handout.addTorrent(spec)
          torrent.on('wire', (wire, address) => this.#connected(seeded, wire, address))
          resolve()
        },
      )
      torrent.on('error', (error) => {
        reject(error)
        this.#hooks.log('error', 'seeder.torrent_failed', { infohash: spec.infohash, error: error.message })
      })
      torrent.on('warning', () => {})
    })
  }

  #connected(seeded: Seeded, wire: Wire, endpoint: string | undefined): void {
    const { spec, metadata, file } = seeded
    const pieces = Math.ceil(spec.sizeBytes / spec.pieceLength)
    Object.assign(wire.extendedHandshake, { bs: 1, reqq: 512 })
    const conn = seeded.torrent._peers.get(endpoint ?? '')?.conn ?? undefined
    const torrent = {
      pieces,
      pieceLength: spec.pieceLength,
      sizeBytes: spec.sizeBytes,
      metadata,
      fd: file.fd,
    }
    const link =
      conn &&
      this.#links.open(
        conn,
        wire,
        torrent,
        this.#handlers(() => peer),
      )
    if (link === undefined) {
      wire.destroy()
      return
    }
    const peer: Peer = {
      link,
      seeded,
      role: 'undecided',
      unchoked: false,
      interested: false,
      have: new Uint8Array(Math.ceil(pieces / 8)),
      grants: new Grants(),
    }
    this.#peers.set(link.id, peer)
    seeded.peers.add(peer)
  }

  #handlers(peer: () => Peer): LinkHandlers {
    return {
      greeted: (agent) => this.#greeted(peer(), agent),
      have: (piece) => this.#have(peer(), piece),
      bitfield: (bits) => this.#bitfield(peer(), bits),
      interested: (interested) => this.#interested(peer(), interested),
      request: (piece, offset, length) => this.#request(peer(), piece, offset, length),
      cancel: (piece, offset, length) => this.#cancel(peer(), piece, offset, length),
      // 500 agents announce 500 pieces each, one packet for each: those of an agent that is not being served are read together.
      isBatched: () => peer().role === 'agent' && peer().grants.isEmpty,
      admit: (bytes) =>
        peer().role === 'agent' || !this.#handout.busy || this.#stockBucket.take(bytes, performance.now()),
      sent: (bytes) => this.#sent(peer(), bytes),
      readFailed: (error) => {
        const { path } = peer().seeded.spec
        this.#hooks.log('error', 'seeder.read_failed', { path, error: error.message })
      },
      closed: () => this.#closed(peer()),
    }
  }

  #closed(peer: Peer): void {
    const { id } = peer.link
    this.#peers.delete(id)
    peer.seeded.peers.delete(peer)
    this.#handout.leave(id)
    this.#choker.leave(id)
    this.#poll()
  }

  #greeted(peer: Peer, agent: boolean): void {
    if (!agent) {
      peer.role = 'stock'
      if (peer.interested) this.#interested(peer, true)
      return
    }
    const place = this.#racks.get(peer.link.address)
    if (place !== undefined) {
      this.#joinAgent(peer, place)
      return
    }
    peer.role = 'waiting for its rack'
    this.#hooks.rackWanted(peer.link.address)
  }

  #joinAgent(peer: Peer, { rack, depth }: RackPlace): void {
    const nowMs = performance.now()
    peer.role = 'agent'
    const from = { address: peer.link.owner, depth }
    this.#handout.join(peer.link.id, peer.seeded.spec.infohash, rack, nowMs, from)
    this.#handout.bitfield(peer.link.id, peer.have, nowMs)
    this.#poll()
  }

  #have(peer: Peer, piece: number): boolean {
    const byte = piece >> 3
    const bit = 0x80 >> (piece & 7)
    const had = peer.have[byte] ?? 0
    if ((had & bit) !== 0) return false
    peer.have[byte] = had | bit
    if (peer.role !== 'agent') return true
    this.#links.moved(peer.link)
    peer.grants.told(piece)
    this.#handout.have(peer.link.id, piece, performance.now())
    this.#poll()
    return true
  }

  #bitfield(peer: Peer, bits: Uint8Array): void {
    // The buffer belongs to the wire.
    peer.have = bits.slice()
    if (peer.role !== 'agent') return
    this.#handout.bitfield(peer.link.id, bits, performance.now())
    this.#poll()
  }

  #interested(peer: Peer, interested: boolean): void {
    peer.interested = interested
    if (peer.role === 'agent') {
      this.#handout.interest(peer.link.id, interested)
      this.#poll()
    } else if (peer.role === 'stock') {
      if (interested) this.#choker.interested(peer.link.id, peer.link.owner)
      else if (this.#choker.leave(peer.link.id)) this.#choke(peer)
      this.#rechoke()
    }
  }

  #request(peer: Peer, piece: number, offset: number, length: number): boolean {
    if (peer.role === 'agent') {
      if (!peer.grants.take(piece, length)) return false
    } else if (!peer.unchoked) {
      return false
    }
    peer.link.upload.add(piece, offset, length)
    return true
  }

  #cancel(peer: Peer, piece: number, offset: number, length: number): boolean {
    if (!peer.link.upload.cancel(piece, offset, length)) return false
    // BEP 6: a cancelled request is answered, by the block or a reject.
    if (peer.link.wire.hasFast) peer.link.wire.reject(piece, offset, length)
    return true
  }

  #sent(peer: Peer, bytes: number): void {
    this.#uploadedBytes += bytes
    peer.seeded.uploadedBytes += bytes
    this.#links.moved(peer.link)
    if (peer.role === 'agent') this.#handout.sent(peer.link.id, performance.now())
    else this.#choker.active(peer.link.id, performance.now())
  }

  #choke(peer: Peer): void {
    peer.unchoked = false
    // With BEP 6 the library rejects what is queued; without it a choke says so by itself.
    const requests = peer.link.upload.clear()
    peer.link.control.choke()
    if (!peer.link.wire.hasFast) return
    for (const { index, offset, length } of requests) peer.link.wire.reject(index, offset, length)
  }

  #rechoke(): void {
    const { choke, unchoke } = this.#choker.update(performance.now(), this.#handout.busy)
    for (const id of choke) {
      const peer = this.#peers.get(id)
      if (peer !== undefined) this.#choke(peer)
    }
    for (const id of unchoke) {
      const peer = this.#peers.get(id)
      if (peer === undefined) continue
      peer.unchoked = true
      peer.link.control.unchoke()
    }
  }

  /** Asks for hand-outs once for all that has come in this turn of the event loop. */
  #poll(): void {
    if (this.#pollPending) return
    this.#pollPending = true
    queueMicrotask(() => {
      this.#pollPending = false
      for (const { conn, piece } of this.#handout.poll(performance.now())) {
        const peer = this.#peers.get(conn)
        if (peer === undefined) continue
        peer.grants.give(piece, peer.seeded.spec.pieceLength)
        peer.link.gate.start('batch')
        peer.link.wire.allowedFast(piece)
      }
    })
  }

  #tick(): void {
    const nowMs = performance.now()
    this.#poll()
    this.#rechoke()
    this.#links.tick(nowMs)
  }
}

/** As many as there are descriptors and memory for. */
function connectionsMax(): number {
  const memoryBytes = Math.min(process.constrainedMemory() || totalmem(), totalmem())
  const byMemory = Math.floor((memoryBytes * memoryPart) / connectionBytes)
  return Math.min(connectionsMost, byMemory, openFilesMax() - otherFilesMax)
}
