/**
 * Who is in one torrent's swarm, by rack, and whom to introduce: first the requester's own rack, then a
 * few across from different racks. Pure: time and randomness are arguments.
 */

/** Neighbours in the own rack (24 nodes share a switch). */
const localMax = 23
/** Neighbours in other racks; more when the own rack is small, so that the mesh stays a mesh. */
const acrossMin = 4
const degreeMin = 12
/** Peers of one torrent, and of one address in it (a test site runs many nodes on one machine). */
const peersMax = 8_192
const peersPerAddressMax = 64

/** A peer as introduced to others. */
export interface SwarmPeer {
  peerId: string
  address: string
  port: number
  rack: string
  agent: boolean
  seed: boolean
  expiresMs: number
  /** How often it was named to others: the less, the rather it is named next. */
  named: number
}

/** Whom a requester shall meet. */
export interface Introduction {
  /** In its own rack. */
  local: SwarmPeer[]
  across: SwarmPeer[]
}

/** The peers of one torrent. */
export class TrackerSwarm {
  /** By peer id and address, least recently heard first. */
  readonly #peers = new Map<string, SwarmPeer>()
  /** The same by address and port: a node that starts anew replaces its former self. */
  readonly #endpoints = new Map<string, SwarmPeer>()
  readonly #addresses = new Map<string, Set<SwarmPeer>>()
  readonly #racks = new Map<string, SwarmPeer[]>()
  #seeds = 0
  /** How many `completed` events have come. */
  completed = 0

  get size(): number {
    return this.#peers.size
  }

  get seeds(): number {
    return this.#seeds
  }

  /** Enters a peer, or renews it with whatever has changed. */
  put(peer: Omit<SwarmPeer, 'named'>): void {
    const key = keyOf(peer)
    const known = this.#peers.get(key)
    const twin = this.#endpoints.get(endpointOf(peer))
    const entry: SwarmPeer = { ...peer, named: known?.named ?? 0 }
    if (known !== undefined) this.#drop(known)
    if (twin !== undefined && twin !== known) this.#drop(twin)
    const neighbours = this.#addresses.get(peer.address) ?? new Set()
    if (neighbours.size >= peersPerAddressMax) for (const oldest of firstOf(neighbours)) this.#drop(oldest)
    if (this.#peers.size >= peersMax) for (const oldest of firstOf(this.#peers.values())) this.#drop(oldest)
    this.#peers.set(key, entry)
    this.#endpoints.set(endpointOf(entry), entry)
    neighbours.add(entry)
    this.#addresses.set(entry.address, neighbours)
    const rack = this.#racks.get(entry.rack)
    if (rack === undefined) this.#racks.set(entry.rack, [entry])
    else rack.push(entry)
    if (entry.seed) this.#seeds++
  }

  remove(peerId: string, address: string): void {
    const peer = this.#peers.get(keyOf({ peerId, address }))
    if (peer !== undefined) this.#drop(peer)
  }

  /** Removes all peers at an address. */
  removeAddress(address: string): void {
    for (const peer of this.#addresses.get(address) ?? []) this.#drop(peer)
  }

  expire(nowMs: number): void {
    for (const peer of this.#peers.values()) if (peer.expiresMs <= nowMs) this.#drop(peer)
  }

  /** @param numwant at most so many peers in all */
  introduce(
    to: { peerId: string; address: string; port: number; rack: string; seed: boolean },
    numwant: number,
    random: () => number,
  ): Introduction {
    const fits = (peer: SwarmPeer): boolean =>
      // Seeds are not introduced to each other, nor a peer to itself.
      !(to.seed && peer.seed) &&
      !(peer.address === to.address && (peer.port === to.port || peer.peerId === to.peerId))
    const local = pick(this.#racks.get(to.rack) ?? [], Math.min(localMax, numwant), fits, random)
    const wanted = Math.min(numwant - local.length, Math.max(acrossMin, degreeMin - local.length))
    return { local, across: this.#across(to.rack, wanted, fits, random) }
  }

  /** One from each of the other racks in random order, and round again until there are enough. */
  #across(
    rack: string,
    wanted: number,
    fits: (peer: SwarmPeer) => boolean,
    random: () => number,
  ): SwarmPeer[] {
    const across: SwarmPeer[] = []
    const racks = [...this.#racks.entries()].filter(([name]) => name !== rack).map(([, peers]) => peers)
    shuffle(racks, random)
    const taken = new Set<SwarmPeer>()
    const free = (peer: SwarmPeer): boolean => !taken.has(peer) && fits(peer)
    let left = racks
    while (across.length < wanted && left.length > 0) {
      const next: SwarmPeer[][] = []
      for (const peers of left) {
        if (across.length >= wanted) break
        const [peer] = pick(peers, 1, free, random)
        if (peer === undefined) continue
        taken.add(peer)
        across.push(peer)
        next.push(peers)
      }
      left = next
    }
    return across
  }

  #drop(peer: SwarmPeer): void {
    this.#peers.delete(keyOf(peer))
    if (this.#endpoints.get(endpointOf(peer)) === peer) this.#endpoints.delete(endpointOf(peer))
    const neighbours = this.#addresses.get(peer.address)
    neighbours?.delete(peer)
    if (neighbours?.size === 0) this.#addresses.delete(peer.address)
    const rack = this.#racks.get(peer.rack)
    if (rack !== undefined) {
      const last = rack.pop()
      const at = rack.indexOf(peer)
      if (last !== undefined && last !== peer && at >= 0) rack[at] = last
      if (rack.length === 0) this.#racks.delete(peer.rack)
    }
    if (peer.seed) this.#seeds--
  }
}

/**
 * Picks up to `count` peers at random, of two candidates the one that was named less often, so that the
 * connections spread evenly over the nodes.
 */
function pick(
  peers: readonly SwarmPeer[],
  count: number,
  fits: (peer: SwarmPeer) => boolean,
  random: () => number,
): SwarmPeer[] {
  // Few are enough to choose from: a rack-less farm of 500 is one big rack.
  const candidates = sample(peers, Math.max(count * 2, count + 8), fits, random)
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

/** Up to `count` different fitting elements in random order, without a copy of the whole. */
function sample(
  peers: readonly SwarmPeer[],
  count: number,
  fits: (peer: SwarmPeer) => boolean,
  random: () => number,
): SwarmPeer[] {
  const found: SwarmPeer[] = []
  const moved = new Map<number, number>()
  // A shuffle that stops early; `moved` records the swaps.
  for (let i = 0; i < peers.length && found.length < count; i++) {
    const j = i + Math.floor(random() * (peers.length - i))
    const peer = peers[moved.get(j) ?? j]
    moved.set(j, moved.get(i) ?? i)
    if (peer !== undefined && fits(peer)) found.push(peer)
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

function* firstOf<T>(items: Iterable<T>): Iterable<T> {
  for (const item of items) {
    yield item
    return
  }
}

function keyOf(peer: { peerId: string; address: string }): string {
  return `${peer.peerId}@${peer.address}`
}

function endpointOf(peer: { address: string; port: number }): string {
  return `${peer.port}@${peer.address}`
}
