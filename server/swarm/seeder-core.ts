/**
 * The seeder inside its process: webtorrent accepts connections and does the handshakes; who gets
 * what is decided by {@link Handout} (agents) and {@link Choker} (stock clients); {@link Upload} sends.
 */

import { type FileHandle, open } from 'node:fs/promises'
import type Wire from 'bittorrent-protocol'
import WebTorrent, { type Torrent } from 'webtorrent'
import { plainAddress } from '../../src/net.js'
import { TokenBucket } from '../../src/token-bucket.js'
import { Choker } from './choker.js'
import { Grants } from './grants.js'
import { Handout } from './handout.js'
import { ReadGate } from './read-gate.js'
import type { CoreHooks, ToSeeder } from './seeder-messages.js'
import type { SeederStats } from './seeder-stats.js'
import { UnusedStore } from './unused-store.js'
import { Upload } from './upload.js'
import { adopt, guardAllWires, type WireControl } from './wire.js'

/** More connections than this are refused; a farm of 500 with 4 artifacts needs 2,000. */
const connectionsMax = 8_192
/** A connection without a message for this long is closed (BEP 3 asks for a keep-alive every 2 minutes). */
const silenceMs = 180_000
const tickMs = 50
/** What stock clients may take while agents are being served. */
const stockBytesPerSecond = 8 << 20
const racksKnownMax = 8_192
/** For a peer whose handshake does not come at once; else ours leaves as soon as it is whole. */
const corkedMs = 100

type AddMessage = Extract<ToSeeder, { type: 'add' }>

interface Seeded {
  spec: AddMessage
  file: FileHandle
  torrent: Torrent
  uploadedBytes: number
  links: Set<Link>
}

/** One connection. */
interface Link {
  id: number
  seeded: Seeded
  wire: Wire
  address: string
  control: WireControl
  upload: Upload
  role: 'undecided' | 'waiting for its rack' | 'agent' | 'stock'
  unchoked: boolean
  interested: boolean
  have: Uint8Array
  grants: Grants
  heardMs: number
  gate: ReadGate | undefined
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
  readonly #links = new Map<number, Link>()
  readonly #racks = new Map<string, string>()
  #nextId = 1
  #uploadedBytes = 0
  #pollPending = false

  constructor(port: number, hooks: CoreHooks, listening: (port: number) => void) {
    this.#hooks = hooks
    guardAllWires()
    this.#client = new WebTorrent({
      torrentPort: port,
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
    this.#client._connPool.tcpServer.maxConnections = connectionsMax
    // The library writes its handshakes in four parts: they shall leave in one packet.
    this.#client._connPool.tcpServer.on('connection', (conn) => {
      conn.cork()
      setTimeout(() => conn.uncork(), corkedMs)
    })
    this.#client.on('error', (error: NodeJS.ErrnoException) => {
      hooks.failed(error.code === 'EADDRINUSE', error.message)
    })
    this.#client.once('listening', () => listening(this.#client.torrentPort))
    setInterval(() => this.#tick(), tickMs)
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
    for (const link of seeded.links) this.#drop(link)
    await new Promise<void>((resolve) => seeded.torrent.destroy({}, () => resolve()))
    await seeded.file.close()
  }

  /** The answer to {@link CoreHooks.rackWanted}. */
  rack(address: string, rack: string): void {
    if (this.#racks.size >= racksKnownMax) this.#racks.clear()
    this.#racks.set(address, rack)
    for (const link of this.#links.values()) {
      if (link.role === 'waiting for its rack' && link.address === address) this.#joinAgent(link, rack)
    }
  }

  stats(): Pick<SeederStats, 'uploadedBytes' | 'peers' | 'torrents'> {
    const torrents = [...this.#seeded.values()].map((seeded) => ({
      infohash: seeded.spec.infohash,
      uploadedBytes: seeded.uploadedBytes,
      peers: seeded.links.size,
      ...this.#handout.stats(seeded.spec.infohash),
    }))
    return { uploadedBytes: this.#uploadedBytes, peers: this.#links.size, torrents }
  }

  #addTorrent(spec: AddMessage, file: FileHandle): Promise<void> {
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
          const seeded: Seeded = { spec, file, torrent, uploadedBytes: 0, links: new Set() }
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

  #connected(seeded: Seeded, wire: Wire, peer: string | undefined): void {
    const id = this.#nextId++
    const { spec } = seeded
    Object.assign(wire.extendedHandshake, { bs: 1, reqq: 512 })
    const control = adopt(
      wire,
      {
        pieces: Math.ceil(spec.sizeBytes / spec.pieceLength),
        pieceLength: spec.pieceLength,
        sizeBytes: spec.sizeBytes,
        metadataBytes: spec.torrent.length,
      },
      {
        greeted: (agent) => this.#greeted(link, agent),
        have: (piece) => this.#have(link, piece),
        bitfield: (bits) => this.#bitfield(link, bits),
        interested: (interested) => this.#interested(link, interested),
        request: (piece, offset, length) => this.#request(link, piece, offset, length),
        cancel: (piece, offset, length) => this.#cancel(link, piece, offset, length),
        queued: () => link.upload.queued,
      },
    )
    const upload = new Upload(
      wire,
      { fd: seeded.file.fd, pieceLength: spec.pieceLength },
      {
        admit: (bytes) =>
          link.role === 'agent' || !this.#handout.busy || this.#stockBucket.take(bytes, performance.now()),
        sent: (bytes) => this.#sent(link, bytes),
        failed: (error) => {
          this.#hooks.log('error', 'seeder.read_failed', { path: spec.path, error: error.message })
          this.#drop(link)
        },
      },
    )
    const link: Link = {
      id,
      seeded,
      wire,
      address: plainAddress(wire.remoteAddress ?? ''),
      control,
      upload,
      role: 'undecided',
      unchoked: false,
      interested: false,
      have: new Uint8Array(Math.ceil(spec.sizeBytes / spec.pieceLength / 8)),
      grants: new Grants(),
      heardMs: performance.now(),
      gate: undefined,
    }
    this.#links.set(id, link)
    seeded.links.add(link)
    const conn = seeded.torrent._peers.get(peer ?? '')?.conn
    if (conn != null) {
      conn.setNoDelay(true)
      setImmediate(() => conn.uncork())
      link.gate = new ReadGate(conn)
      conn.on('data', () => {
        link.heardMs = performance.now()
        // 500 agents announce 500 pieces each, one packet for each: an agent that is not being served is read
        // at the next tick, all its HAVEs at once.
        if (link.role === 'agent' && link.grants.isEmpty) link.gate?.stop()
      })
    }
    wire.once('close', () => this.#closed(link))
  }

  #closed(link: Link): void {
    if (!this.#links.delete(link.id)) return
    link.seeded.links.delete(link)
    link.upload.clear()
    this.#handout.leave(link.id)
    this.#choker.leave(link.id)
    this.#poll()
  }

  #drop(link: Link): void {
    link.wire.destroy()
    this.#closed(link)
  }

  #greeted(link: Link, agent: boolean): void {
    if (!agent) {
      link.role = 'stock'
      if (link.interested) this.#interested(link, true)
      return
    }
    const rack = this.#racks.get(link.address)
    if (rack !== undefined) {
      this.#joinAgent(link, rack)
      return
    }
    link.role = 'waiting for its rack'
    this.#hooks.rackWanted(link.address)
  }

  #joinAgent(link: Link, rack: string): void {
    const nowMs = performance.now()
    link.role = 'agent'
    this.#handout.join(link.id, link.seeded.spec.infohash, rack, nowMs)
    this.#handout.bitfield(link.id, link.have, nowMs)
    this.#poll()
  }

  #have(link: Link, piece: number): void {
    if (link.role === 'stock') return
    if (link.role !== 'agent') {
      const byte = piece >> 3
      link.have[byte] = (link.have[byte] ?? 0) | (0x80 >> (piece & 7))
      return
    }
    link.grants.told(piece)
    this.#handout.have(link.id, piece, performance.now())
    this.#poll()
  }

  #bitfield(link: Link, bits: Uint8Array): void {
    if (link.role === 'stock') return
    // The buffer belongs to the wire.
    if (link.role !== 'agent') link.have = bits.slice()
    else this.#handout.bitfield(link.id, bits, performance.now())
    this.#poll()
  }

  #interested(link: Link, interested: boolean): void {
    link.interested = interested
    if (link.role === 'agent') {
      this.#handout.interest(link.id, interested)
      this.#poll()
    } else if (link.role === 'stock') {
      if (interested) this.#choker.interested(link.id)
      else if (this.#choker.leave(link.id)) this.#choke(link)
      this.#rechoke()
    }
  }

  #request(link: Link, piece: number, offset: number, length: number): boolean {
    if (link.role === 'agent') {
      if (!link.grants.take(piece, length)) return false
    } else if (!link.unchoked) {
      return false
    }
    link.upload.add(piece, offset, length)
    return true
  }

  #cancel(link: Link, piece: number, offset: number, length: number): void {
    // BEP 6: a cancelled request is answered, by the block or a reject.
    if (link.upload.cancel(piece, offset, length) && link.wire.hasFast)
      link.wire.reject(piece, offset, length)
  }

  #sent(link: Link, bytes: number): void {
    this.#uploadedBytes += bytes
    link.seeded.uploadedBytes += bytes
    if (link.role === 'agent') this.#handout.sent(link.id, performance.now())
    else this.#choker.active(link.id, performance.now())
  }

  #choke(link: Link): void {
    link.unchoked = false
    // With BEP 6 the library rejects what is queued; without it a choke says so by itself.
    const requests = link.upload.clear()
    link.control.choke()
    if (!link.wire.hasFast) return
    for (const { index, offset, length } of requests) link.wire.reject(index, offset, length)
  }

  #rechoke(): void {
    const { choke, unchoke } = this.#choker.update(performance.now(), this.#handout.busy)
    for (const id of choke) {
      const link = this.#links.get(id)
      if (link !== undefined) this.#choke(link)
    }
    for (const id of unchoke) {
      const link = this.#links.get(id)
      if (link === undefined) continue
      link.unchoked = true
      link.control.unchoke()
    }
  }

  /** Asks for hand-outs once for all that has come in this turn of the event loop. */
  #poll(): void {
    if (this.#pollPending) return
    this.#pollPending = true
    queueMicrotask(() => {
      this.#pollPending = false
      for (const { conn, piece } of this.#handout.poll(performance.now())) {
        const link = this.#links.get(conn)
        if (link === undefined) continue
        link.grants.give(piece, link.seeded.spec.pieceLength)
        link.gate?.start()
        link.wire.allowedFast(piece)
      }
    })
  }

  #tick(): void {
    const nowMs = performance.now()
    this.#poll()
    this.#rechoke()
    for (const link of this.#links.values()) {
      link.gate?.start()
      if (nowMs - link.heardMs > silenceMs) this.#drop(link)
      else if (link.role === 'stock') link.upload.pump()
    }
  }
}
