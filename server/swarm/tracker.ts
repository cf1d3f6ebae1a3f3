/**
 * The site's tracker over HTTP (BEP 3, 7, 23, 48): parses, keeps the swarms, answers in bencode. It serves
 * the catalog's torrents only, and takes a peer's address from its connection.
 */

import { isIPv4 } from 'node:net'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { type BencodeInput, encodeBencode } from '../../src/bencode.js'
import { ipv6Groups, plainAddress } from '../../src/net.js'
import type { RackTree } from '../../src/rack-tree.js'
import type { RackOfAddress } from '../../src/racks.js'
import { type Announce, parseAnnounce, parseScrape } from './tracker-query.js'
import { type SwarmPeer, TrackerSwarm } from './tracker-swarm.js'

/** Announces a second that all nodes together shall stay below. Who wants for peers does not wait for the interval. */
const announcesPerSecond = 25
const downloadIntervalMinS = 2
const downloadIntervalMaxS = 20
const seedIntervalMinS = 30
/** Of seeds while no node boots. */
const calmIntervalS = 600
const expireEveryMs = 2_000
/** A peer is forgotten when it has missed two announces; an agent that has peers announces once a minute at least. */
const expireIntervals = 2
const agentIntervalMaxS = 60
/** For those that met so many with their manifest: they need not ask again while the link is full of others' manifests. */
const introducedIntervalS = 30
const introducedEnough = 12
const expireGraceMs = 15_000
/** Peers of all torrents: 500 nodes with 128 torrents. Some 60 MB. */
const peersAllMax = 65_536

/** Counters of the tracker. */
export interface TrackerStats {
  torrents: number
  peers: number
  announces: number
  refused: number
}

/** An agent that sends its listening port with its request for a manifest. */
export interface AskingNode {
  /** The 20 bytes of its `peer_id` as hex. */
  readonly peerId: string
  /** TCP, 1-65535. */
  readonly port: number
  /** Where its request came from. */
  readonly address: string
}

/** The site's tracker: introduces peers to each other. */
export interface Tracker {
  /** Exactly these infohashes (40 lower-case hex digits) are served from now on; peers of others are forgotten. */
  setTorrents(infohashes: Iterable<string>): void
  stats(): TrackerStats
  /**
   * The first announces of an agent that asks for its manifest: the answers in the order of these infohashes, as one
   * bencoded list (docs/manifest.md).
   */
  introduce(infohashes: readonly string[], node: AskingNode): Uint8Array
  /** The node at this address has begun anew: what it announced before is no more, unless other nodes have that address, too. */
  forget(address: string): void
  /** Routes `GET /announce` and `GET /scrape` for any number of fastify instances. */
  readonly plugin: FastifyPluginAsync
}

/** Options of `createTracker`. */
export interface TrackerOptions {
  rackOf: RackOfAddress
  /** How the racks' switches hang together now. Missing: all at the server's. */
  rackTree?: () => RackTree
  /** The seeder's TCP port when it runs; its address is the one the client reached us at, unless given. */
  seeder: () => { port: number; address?: string } | undefined
  /** Few nodes boot, and few are expected to: seeds may announce rarely. Missing: never. */
  isCalm?: () => boolean
  /** Milliseconds of a clock that never goes back (`performance.now()`). */
  nowMs: () => number
  /** 0 <= x < 1. */
  random: () => number
}

/** An answer in bencode's terms. */
type Answer = { [key: string]: BencodeInput }

/** Where an announce came from and to. */
interface Ends {
  remoteAddress: string
  localAddress: string
}

/** Makes the tracker; it serves nothing before `setTorrents`. */
export function createTracker(options: TrackerOptions): Tracker {
  return new HttpTracker(options)
}

class HttpTracker implements Tracker {
  readonly #options: TrackerOptions
  readonly #swarms = new Map<string, TrackerSwarm>()
  #announces = 0
  #refused = 0
  #expiredMs = 0

  readonly plugin: FastifyPluginAsync = async (app) => {
    app.get('/announce', (request, reply) => {
      // An agent is on the site's own network, where nothing caches.
      if (!/[?&]peer_id=-BW/.test(request.url)) reply.header('cache-control', 'no-store')
      return this.#reply(reply, this.#announce(request))
    })
    app.get('/scrape', (request, reply) =>
      this.#reply(reply.header('cache-control', 'no-store'), this.#scrape(request.raw.url ?? '')),
    )
  }

  constructor(options: TrackerOptions) {
    this.#options = options
  }

  setTorrents(infohashes: Iterable<string>): void {
    const wanted = new Set(infohashes)
    for (const infohash of this.#swarms.keys()) if (!wanted.has(infohash)) this.#swarms.delete(infohash)
    for (const infohash of wanted) {
      if (!this.#swarms.has(infohash)) this.#swarms.set(infohash, new TrackerSwarm())
    }
  }

  forget(address: string): void {
    const gone: { swarm: TrackerSwarm; peerId: string }[] = []
    for (const swarm of this.#swarms.values()) {
      for (const { peerId } of swarm.at(address)) {
        // Of several nodes behind one address nobody knows which has gone, however many thousand there are.
        if (gone.some((other) => other.peerId !== peerId)) return
        gone.push({ swarm, peerId })
      }
    }
    for (const { swarm, peerId } of gone) swarm.remove(peerId, address)
  }

  stats(): TrackerStats {
    this.#expire(this.#options.nowMs())
    return {
      torrents: this.#swarms.size,
      peers: this.#peers(),
      announces: this.#announces,
      refused: this.#refused,
    }
  }

  #announce(request: FastifyRequest): BencodeInput {
    const announce = parseAnnounce(request.raw.url ?? '')
    if ('refused' in announce) return this.#refuse(announce.refused)
    const swarm = this.#swarms.get(announce.infohash)
    if (swarm === undefined) return this.#refuse('unknown torrent')
    const ends = {
      remoteAddress: plainAddress(request.socket.remoteAddress ?? ''),
      localAddress: plainAddress(request.socket.localAddress ?? ''),
    }
    this.#announces++
    const nowMs = this.#options.nowMs()
    this.#expire(nowMs)
    return this.#enter(announce, swarm, ends, { nowMs, introduced: false })
  }

  introduce(infohashes: readonly string[], { peerId, port, address }: AskingNode): Uint8Array {
    const nowMs = this.#options.nowMs()
    this.#expire(nowMs)
    const first = { peerId, port, agent: true, leftBytes: undefined, event: 'started', numwant: 200 } as const
    const answers = infohashes.map((infohash): BencodeInput => {
      const swarm = this.#swarms.get(infohash)
      if (swarm === undefined) return this.#refuse('unknown torrent')
      this.#announces++
      const announce = { ...first, infohash, compact: true, withPeerIds: false }
      const ends = { remoteAddress: address, localAddress: '' }
      const answer = this.#enter(announce, swarm, ends, { nowMs, introduced: true })
      return countPeers(answer) < introducedEnough ? answer : { ...answer, interval: introducedIntervalS }
    })
    return encodeBencode(answers)
  }

  #enter(
    announce: Announce,
    swarm: TrackerSwarm,
    ends: Ends,
    { nowMs, introduced }: { nowMs: number; introduced: boolean },
  ): Answer {
    const address = ends.remoteAddress
    const seed = announce.leftBytes === 0
    const intervalS = this.#intervalS(seed)
    const answer: Answer = { interval: intervalS, 'min interval': 1 }
    if (announce.event === 'stopped') {
      swarm.remove(announce.peerId, address)
      return { ...answer, complete: swarm.seeds, incomplete: swarm.size - swarm.seeds, peers: '' }
    }
    if (announce.event === 'completed') swarm.completed++
    const rack = this.#options.rackOf(address)
    const { peerId, port, agent } = announce
    const longestS = Math.max(intervalS, agent ? agentIntervalMaxS : 0)
    const expiresMs = nowMs + expireIntervals * longestS * 1_000 + expireGraceMs
    if (this.#peers() >= peersAllMax) this.#makeRoom()
    swarm.put({ peerId, address, port, rack, agent, seed, expiresMs, introduced })
    const { random, rackTree } = this.#options
    const met = swarm.introduce({ peerId, address, port, rack, seed }, announce.numwant, random, rackTree?.())
    const peers: Endpoint[] = [...met.local, ...met.across, ...met.far]
    // Agents know the seeder from their manifest; it hands them its pieces by itself.
    if (!agent && !seed) peers.push(...this.#seeder(ends.localAddress))
    return {
      ...answer,
      // No agent reads these.
      ...(agent ? {} : { complete: swarm.seeds, incomplete: swarm.size - swarm.seeds }),
      ...(met.importer === undefined ? {} : { importer: met.importer === 'others' ? -1 : met.importer }),
      ...(agent && met.far.length > 0 ? { 'far peers': countIn(announce, met.far) } : {}),
      'local peers': countIn(announce, met.local),
      ...(announce.compact ? compactPeers(peers) : { peers: listPeers(peers, announce.withPeerIds) }),
    }
  }

  #scrape(url: string): BencodeInput {
    const wanted = parseScrape(url)
    if ('refused' in wanted) return this.#refuse(wanted.refused)
    this.#expire(this.#options.nowMs())
    const files = new Map<string, BencodeInput>()
    for (const infohash of wanted.length > 0 ? wanted : this.#swarms.keys()) {
      const swarm = this.#swarms.get(infohash)
      if (swarm === undefined) continue
      files.set(Buffer.from(infohash, 'hex').toString('latin1'), {
        complete: swarm.seeds,
        downloaded: swarm.completed,
        incomplete: swarm.size - swarm.seeds,
      })
    }
    return { files, flags: { min_request_interval: downloadIntervalMaxS } }
  }

  #seeder(localAddress: string): Endpoint[] {
    const seeder = this.#options.seeder()
    return seeder === undefined ? [] : [{ address: seeder.address ?? localAddress, port: seeder.port }]
  }

  /** Short while a node downloads, and longer the more nodes there are; a seed in calm times only shows that it is there. */
  #intervalS(seed: boolean): number {
    const peers = this.#peers()
    if (!seed) return downloadIntervalS(peers)
    const leastS = this.#options.isCalm?.() === true ? calmIntervalS : seedIntervalMinS
    return Math.min(calmIntervalS, Math.max(leastS, Math.ceil(peers / announcesPerSecond)))
  }

  #peers(): number {
    let peers = 0
    for (const swarm of this.#swarms.values()) peers += swarm.size
    return peers
  }

  /** Where most have only announced themselves, or else where most are. */
  #makeRoom(): void {
    let largest: TrackerSwarm | undefined
    for (const swarm of this.#swarms.values()) {
      const more = largest && (swarm.announced - largest.announced || swarm.size - largest.size)
      if (more === undefined || more > 0) largest = swarm
    }
    largest?.makeRoom()
  }

  #expire(nowMs: number): void {
    if (nowMs - this.#expiredMs < expireEveryMs) return
    this.#expiredMs = nowMs
    for (const swarm of this.#swarms.values()) swarm.expire(nowMs)
  }

  #refuse(reason: string): Answer {
    this.#refused++
    return { 'failure reason': `TRACKER_REQUEST_INVALID: ${reason}` }
  }

  #reply(reply: FastifyReply, answer: BencodeInput): FastifyReply {
    return reply.header('content-type', 'text/plain').send(Buffer.from(encodeBencode(answer)))
  }
}

/** Seconds between two announces of a node that downloads, where the tracker knows so many peers. */
export function downloadIntervalS(peers: number): number {
  const followS = Math.ceil(peers / announcesPerSecond)
  return Math.min(downloadIntervalMaxS, Math.max(downloadIntervalMinS, followS))
}

function countPeers({ peers, peers6 }: Answer): number {
  const bytes = (value: BencodeInput | undefined) => (Buffer.isBuffer(value) ? value.length : 0)
  return bytes(peers) / 6 + bytes(peers6) / 18
}

type Endpoint = Pick<SwarmPeer, 'address' | 'port'> & { peerId?: string }

/** How many entries of `peers` these are: IPv6 addresses have a list of their own when it is compact. */
function countIn({ compact }: Announce, peers: readonly Endpoint[]): number {
  return compact ? peers.filter(isV4).length : peers.length
}

function isV4(peer: Endpoint): boolean {
  return isIPv4(peer.address)
}

/** BEP 23, and BEP 7 for IPv6. */
function compactPeers(peers: Endpoint[]): { [key: string]: BencodeInput } {
  const v4 = peers.filter(isV4)
  const v6 = peers.filter((peer) => !isV4(peer))
  const packed = {
    peers: Buffer.concat(v4.map((peer) => pack(peer.address.split('.').map(Number), 1, peer.port))),
  }
  if (v6.length === 0) return packed
  return { ...packed, peers6: Buffer.concat(v6.map((peer) => pack(ipv6Groups(peer.address), 2, peer.port))) }
}

function pack(numbers: number[], bytesEach: 1 | 2, port: number): Buffer {
  const bytes = Buffer.alloc(numbers.length * bytesEach + 2)
  numbers.forEach((number, i) => {
    bytes.writeUIntBE(number, i * bytesEach, bytesEach)
  })
  bytes.writeUInt16BE(port, numbers.length * bytesEach)
  return bytes
}

/** BEP 3's list of dictionaries. */
function listPeers(peers: Endpoint[], withPeerIds: boolean): BencodeInput[] {
  return peers.map(({ address, port, peerId }) => ({
    ip: address,
    ...(withPeerIds && peerId !== undefined ? { 'peer id': Buffer.from(peerId, 'hex') } : {}),
    port,
  }))
}
