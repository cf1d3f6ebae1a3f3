/**
 * Who is in one torrent's swarm, by rack, and whom to introduce: first the requester's own rack, then a
 * few across from different racks next to it (rack-neighbours.ts). Pure: time and randomness are arguments.
 *
 * A rack's first agents are its importers: they alone bring pieces in over its uplink. They all know one another, so a
 * claim reaches all of them, and each rack takes in one copy however many nodes it has.
 */

import { AddressQueues } from '../../src/address-queues.js'
import { addressOwner } from '../../src/net.js'
import { flatTree, type RackTree } from '../../src/rack-tree.js'
import { FairDraw } from './fair-draw.js'
import { Importers } from './importers.js'
import { areLinked, neighboursOf } from './rack-neighbours.js'

/** Neighbours in the own rack (24 nodes share a switch). */
const localMax = 23
/** Neighbours in other racks; more when the own rack is small, so that the mesh stays a mesh. */
const acrossMin = 4
const degreeMin = 12
/** Importers of a rack: as many as can all be neighbours of one another. */
const importersMax = localMax + 1
/** Of one address: whoever invents agents does not keep a rack waiting for them. Fewer where others lack a place. */
const importersOfOwnerMax = importersMax / 4
/** Agents with a turn below this begin at once, others leave pieces to them for a while (`IMPORTERS` of the agent's import.rs). */
const turnsAtOnce = 3
/** Peers of one torrent. */
const peersMax = 8_192
/** Of an answer, those that have only announced themselves get this part where enough others are known. */
const announcedPart = 1 / 4

/** A peer as introduced to others. */
export interface SwarmPeer {
  peerId: string
  address: string
  /** Whom the address belongs to (`addressOwner`). */
  owner: string
  port: number
  rack: string
  agent: boolean
  seed: boolean
  expiresMs: number
  /** It came with a node's request for its manifest, over HTTPS; all others have only announced themselves. */
  introduced: boolean
  /** How often it was named to others: the less, the rather it is named next. */
  named: number
}

/** Whom a requester shall meet. */
export interface Introduction {
  /** In its own rack. */
  local: SwarmPeer[]
  /** In racks that one link leads to. */
  across: SwarmPeer[]
  /** In racks beyond others that have nobody now: only until somebody nearer is there. */
  far: SwarmPeer[]
  /** Its turn among the importers of its rack, from 0, which several may share; `others`: it is none; undefined: there are none. */
  importer?: number | 'others'
}

/** The peers of a rack by how they came. */
interface Rack {
  readonly introduced: FairDraw<SwarmPeer>
  readonly announced: FairDraw<SwarmPeer>
  readonly importers: Importers<SwarmPeer>
}

/** The peers of one torrent. */
export class TrackerSwarm {
  readonly #peers = new Map<string, SwarmPeer>()
  /** The same by address and port: a node that starts anew replaces its former self. */
  readonly #endpoints = new Map<string, SwarmPeer>()
  /** The same by address and how they came, those that were not heard for longest first. */
  readonly #introduced = new AddressQueues<SwarmPeer>()
  readonly #announced = new AddressQueues<SwarmPeer>()
  /** All by their very address. */
  readonly #there = new AddressQueues<SwarmPeer>()
  readonly #racks = new Map<string, Rack>()
  #seeds = 0
  /** How many `completed` events have come. */
  completed = 0

  get size(): number {
    return this.#peers.size
  }

  /** Those that have only announced themselves. */
  get announced(): number {
    return this.#announced.size
  }

  get seeds(): number {
    return this.#seeds
  }

  /** Enters a peer, or renews it with whatever has changed; where there are too many another one makes room. */
  put(peer: Omit<SwarmPeer, 'named' | 'owner'>): void {
    const known = this.#peers.get(keyOf(peer))
    const twin = this.#endpoints.get(endpointOf(peer))
    const introduced = peer.introduced || known?.introduced === true
    // Another one behind the same NAT does not take a node's place by naming its port.
    if (twin !== known && twin?.introduced === true && !introduced) return
    const owner = addressOwner(peer.address)
    const entry: SwarmPeer = { ...peer, owner, introduced, named: known?.named ?? 0 }
    const place =
      known?.rack === entry.rack ? this.#racks.get(known.rack)?.importers.placeOf(known) : undefined
    if (known !== undefined) this.#drop(known)
    if (twin !== undefined && twin !== known) this.#drop(twin)
    if (this.#peers.size >= peersMax) this.makeRoom()
    this.#peers.set(keyOf(entry), entry)
    this.#endpoints.set(endpointOf(entry), entry)
    this.#queueOf(entry).add(owner, entry)
    this.#there.add(entry.address, entry)
    const rack = this.#racks.get(entry.rack) ?? emptyRack()
    this.#racks.set(entry.rack, rack)
    placeIn(rack, entry).add(entry)
    if (place !== undefined && place >= 0) rack.importers.putBack(entry, place)
    if (entry.seed) this.#seeds++
  }

  /** Drops a peer: of those that only announced themselves, if there are any, of the address with most, the longest unheard. */
  makeRoom(): void {
    const peer = this.#announced.oldestOfLargest() ?? this.#introduced.oldestOfLargest()
    if (peer !== undefined) this.#drop(peer)
  }

  remove(peerId: string, address: string): void {
    const peer = this.#peers.get(keyOf({ peerId, address }))
    if (peer !== undefined) this.#drop(peer)
  }

  /** The peers at an address, to be looked at while none is put or removed: there may be thousands. */
  at(address: string): Iterable<SwarmPeer> {
    return this.#there.of(address)
  }

  expire(nowMs: number): void {
    for (const peer of this.#peers.values()) if (peer.expiresMs <= nowMs) this.#drop(peer)
  }

  /** @param numwant at most so many peers in all */
  introduce(
    to: { peerId: string; address: string; port: number; rack: string; seed: boolean },
    numwant: number,
    random: () => number,
    tree: RackTree = flatTree,
  ): Introduction {
    const fits = (peer: SwarmPeer): boolean =>
      // Seeds are not introduced to each other, nor a peer to itself.
      !(to.seed && peer.seed) &&
      !(peer.address === to.address && (peer.port === to.port || peer.peerId === to.peerId))
    const met = pick(this.#racks.get(to.rack), Math.min(localMax, numwant), fits, random)
    const importer = this.#turnOf(to, tree)
    const local = typeof importer === 'number' ? this.#importersFirst(to.rack, met, fits, numwant) : met
    const wanted = Math.min(numwant - local.length, Math.max(acrossMin, degreeMin - local.length))
    const elsewhere = this.#elsewhere(to.rack, wanted, fits, random, tree)
    const across = elsewhere.filter(({ rack }) => areLinked(to.rack, rack, tree))
    const far = elsewhere.filter((peer) => !across.includes(peer))
    return importer === undefined ? { local, across, far } : { local, across, far, importer }
  }

  /**
   * A rack's first agents that lack something become its importers. Racks at the server are handed pieces, and leave what they
   * lack to the first few. Pieces reach a rack behind another one through importers only, mostly with one of them as the only
   * neighbour of whoever has it: there all of them begin at once, and those that share a turn settle it by their claims.
   */
  #turnOf(to: { peerId: string; address: string }, tree: RackTree): Introduction['importer'] {
    const peer = this.#peers.get(keyOf(to))
    const importers = peer && this.#racks.get(peer.rack)?.importers
    if (importers === undefined || !peer?.agent) return undefined
    if (importers.placeOf(peer) < 0 && peer.introduced && !peer.seed) importers.offer(peer)
    const turn = importers.inTurn().indexOf(peer)
    if (turn < 0) return importers.size > 0 ? 'others' : undefined
    return tree.behind(peer.rack) === undefined ? turn : turn % turnsAtOnce
  }

  #importersFirst(
    rack: string,
    met: readonly SwarmPeer[],
    fits: (peer: SwarmPeer) => boolean,
    numwant: number,
  ): SwarmPeer[] {
    const importers = this.#racks.get(rack)?.importers.inTurn().filter(fits) ?? []
    const others = met.filter((peer) => !importers.includes(peer))
    return [...importers, ...others].slice(0, Math.min(localMax, numwant))
  }

  /**
   * One from each of the neighbouring racks, of its importers, in random order, and round again until there are enough. Those
   * behind the own rack come last: however many they are, one that pieces come from is among those named.
   */
  #elsewhere(
    rack: string,
    wanted: number,
    fits: (peer: SwarmPeer) => boolean,
    random: () => number,
    tree: RackTree,
  ): SwarmPeer[] {
    const named: SwarmPeer[] = []
    const others = [...this.#racks.keys()].filter((name) => name !== rack)
    const { ahead, behind } = neighboursOf(rack, others, tree)
    shuffle(ahead, random)
    shuffle(behind, random)
    const free = (peer: SwarmPeer): boolean => !named.includes(peer) && fits(peer)
    let left = [...ahead, ...behind].flatMap((name) => this.#racks.get(name) ?? [])
    while (named.length < wanted && left.length > 0) {
      const next: Rack[] = []
      for (const other of left) {
        if (named.length >= wanted) break
        const [peer] = pick(gateOf(other), 1, free, random)
        if (peer === undefined) continue
        named.push(peer)
        next.push(other)
      }
      left = next
    }
    return named
  }

  #drop(peer: SwarmPeer): void {
    this.#peers.delete(keyOf(peer))
    if (this.#endpoints.get(endpointOf(peer)) === peer) this.#endpoints.delete(endpointOf(peer))
    this.#queueOf(peer).delete(peer.owner, peer)
    this.#there.delete(peer.address, peer)
    const rack = this.#racks.get(peer.rack)
    if (rack !== undefined) {
      placeIn(rack, peer).delete(peer)
      rack.importers.delete(peer)
      if (rack.introduced.owners + rack.announced.owners === 0) this.#racks.delete(peer.rack)
    }
    if (peer.seed) this.#seeds--
  }

  #queueOf(peer: SwarmPeer): AddressQueues<SwarmPeer> {
    return peer.introduced ? this.#introduced : this.#announced
  }
}

function emptyRack(): Rack {
  return {
    introduced: new FairDraw(),
    announced: new FairDraw(),
    importers: new Importers(importersMax, importersOfOwnerMax),
  }
}

/** Those of a rack whom others meet: pieces cross between importers, who are in a hurry for them. */
function gateOf(rack: Rack): Rack {
  if (rack.importers.size === 0) return rack
  const gate = emptyRack()
  for (const peer of rack.importers.inTurn()) gate.introduced.add(peer)
  return gate
}

function placeIn(rack: Rack, peer: SwarmPeer): FairDraw<SwarmPeer> {
  return peer.introduced ? rack.introduced : rack.announced
}

/**
 * Picks up to `count` peers at random. Those that have only announced themselves can be invented by the thousand: they get
 * their part, and what the others leave.
 */
function pick(
  rack: Rack | undefined,
  count: number,
  fits: (peer: SwarmPeer) => boolean,
  random: () => number,
): SwarmPeer[] {
  if (rack === undefined) return []
  const announcedMax = rack.announced.owners === 0 ? 0 : Math.floor(count * announcedPart)
  const introduced = pickFrom(rack.introduced, count - announcedMax, fits, random)
  const announced = pickFrom(rack.announced, count - introduced.length, fits, random)
  const picked = [...introduced, ...announced]
  if (picked.length === count || introduced.length < count - announcedMax) return picked
  const free = (peer: SwarmPeer): boolean => !introduced.includes(peer) && fits(peer)
  return [...picked, ...pickFrom(rack.introduced, count - picked.length, free, random)]
}

/** Picks at random, of two candidates the one that was named less often, so that the connections spread evenly over the nodes. */
function pickFrom(
  peers: FairDraw<SwarmPeer>,
  count: number,
  fits: (peer: SwarmPeer) => boolean,
  random: () => number,
): SwarmPeer[] {
  // Few are enough to choose from: a rack-less farm of 500 is one big rack. An address has a second one where the others do not suffice.
  const fewMax = Math.max(count * 2, count + 8)
  const candidatesMax = peers.owners < count ? fewMax : Math.min(fewMax, peers.owners)
  const candidates = sample(peers, candidatesMax, fits, random)
  const picked: SwarmPeer[] = []
  const surplus = candidates.length - count
  for (let i = 0; i < candidates.length && picked.length < count; i++) {
    const a = candidates[i]
    const b = i < surplus ? candidates[candidates.length - 1 - i] : undefined
    const chosen = a !== undefined && b !== undefined && b.named < a.named ? b : a
    if (chosen !== undefined) picked.push(chosen)
  }
  for (const peer of picked) peer.named++
  return picked
}

function sample(
  peers: FairDraw<SwarmPeer>,
  count: number,
  fits: (peer: SwarmPeer) => boolean,
  random: () => number,
): SwarmPeer[] {
  const found: SwarmPeer[] = []
  for (const peer of peers.drawn(random)) {
    if (fits(peer)) found.push(peer)
    if (found.length >= count) break
  }
  return found
}

function shuffle(items: unknown[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const kept = items[i]
    items[i] = items[j]
    items[j] = kept
  }
}

function keyOf(peer: { peerId: string; address: string }): string {
  return `${peer.peerId}@${peer.address}`
}

function endpointOf(peer: { address: string; port: number }): string {
  return `${peer.port}@${peer.address}`
}
