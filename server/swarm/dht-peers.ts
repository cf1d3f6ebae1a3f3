/**
 * The peers that the DHT node names: in place of the library's own store, which one address can fill with invented ports until
 * nobody else is in it. Pure.
 */

import { AddressQueues } from '../../src/address-queues.js'
import { FairDraw } from './fair-draw.js'

/** Of one torrent, and of all: 500 nodes with 64 torrents. */
const peersPerTorrentMax = 2_048
const peersMax = 32_768
/** A peer that does not announce itself again is forgotten after this. */
const peerAgeMs = 30 * 60_000
const expireEveryMs = 60_000
/** In one answer: it fits into an Ethernet frame, and is a few times as long as the question. */
const answerPeersMax = 50

interface Peer {
  /** Its IPv4 address. */
  readonly owner: string
  /** IPv4 address and port as BEP 5 wants them. */
  readonly compact: Buffer
  readonly atMs: number
}

interface Torrent {
  readonly peers: Map<string, Peer>
  readonly queues: AddressQueues<Peer>
  readonly draw: FairDraw<Peer>
}

/** As much of `record-cache` as bittorrent-dht uses. */
export class DhtPeers {
  readonly #nowMs: () => number
  readonly #random: () => number
  readonly #torrents = new Map<string, Torrent>()
  #size = 0
  #expiredMs = Number.NEGATIVE_INFINITY

  constructor(nowMs: () => number, random: () => number) {
    this.#nowMs = nowMs
    this.#random = random
  }

  get size(): number {
    return this.#size
  }

  /** Enters or renews a peer; where there are too many, the address with most loses the one that is longest unheard. */
  add(infohash: string, compact: Buffer): void {
    this.#expire()
    const torrent = this.#torrents.get(infohash) ?? {
      peers: new Map(),
      queues: new AddressQueues(),
      draw: new FairDraw(),
    }
    const known = torrent.peers.get(compact.toString('latin1'))
    if (known !== undefined) this.#drop(infohash, torrent, known)
    if (torrent.peers.size >= peersPerTorrentMax) this.#makeRoom(infohash, torrent)
    if (this.#size >= peersMax) this.#makeRoom(...this.#largest())
    const peer = { owner: compact.subarray(0, 4).join('.'), compact, atMs: this.#nowMs() }
    torrent.peers.set(compact.toString('latin1'), peer)
    torrent.queues.add(peer.owner, peer)
    torrent.draw.add(peer)
    this.#torrents.set(infohash, torrent)
    this.#size++
  }

  /** Some of its peers. */
  get(infohash: string, count = answerPeersMax): Buffer[] {
    this.#expire()
    const found: Buffer[] = []
    for (const { compact } of this.#torrents.get(infohash)?.draw.drawn(this.#random) ?? []) {
      found.push(compact)
      if (found.length >= Math.min(count, answerPeersMax)) break
    }
    return found
  }

  /** The library's own word for the end. */
  destroy(): void {
    this.#torrents.clear()
    this.#size = 0
  }

  #makeRoom(infohash: string, torrent: Torrent): void {
    const peer = torrent.queues.oldestOfLargest()
    if (peer !== undefined) this.#drop(infohash, torrent, peer)
  }

  #largest(): [string, Torrent] {
    return [...this.#torrents].reduce((a, b) => (b[1].peers.size > a[1].peers.size ? b : a))
  }

  #drop(infohash: string, torrent: Torrent, peer: Peer): void {
    torrent.peers.delete(peer.compact.toString('latin1'))
    torrent.queues.delete(peer.owner, peer)
    torrent.draw.delete(peer)
    if (torrent.peers.size === 0) this.#torrents.delete(infohash)
    this.#size--
  }

  #expire(): void {
    const nowMs = this.#nowMs()
    if (nowMs - this.#expiredMs < expireEveryMs) return
    this.#expiredMs = nowMs
    for (const [infohash, torrent] of this.#torrents) {
      for (const peer of torrent.peers.values()) {
        if (nowMs - peer.atMs < peerAgeMs) break
        this.#drop(infohash, torrent, peer)
      }
    }
  }
}
