/**
 * Which nodes are remembered. Anybody can report under an invented name, so nodes are of two kinds: known ones, which have
 * booted or are named by the configuration, and unknown ones. Each kind is bounded in all and for each address, and no unknown
 * node ever takes the place of a known one. Pure.
 */
import { NODES_KNOWN_MAX, NODES_PER_ADDRESS_MAX, NODES_UNKNOWN_MAX } from '../../src/limits.js'
import { addressOwner } from '../../src/net.js'
import type { NodeRecord } from './state.js'

/** How many. */
export interface InventoryLimits {
  readonly knownMax: number
  readonly unknownMax: number
  /** Of each kind at one address. */
  readonly perAddressMax: number
  /** A known node that is silent for longer makes room for another one, milliseconds. */
  readonly silentMs: number
}

const defaults: InventoryLimits = {
  knownMax: NODES_KNOWN_MAX,
  unknownMax: NODES_UNKNOWN_MAX,
  perAddressMax: NODES_PER_ADDRESS_MAX,
  silentMs: 30 * 24 * 60 * 60_000,
}

/** The nodes of one kind that were last heard of at an address (an IPv6 host has a /64), longest silent first. */
type ByAddress = Map<string, Set<string>>

/** All nodes that are remembered. */
export class Inventory {
  readonly #limits: InventoryLimits
  /** Longest silent first. */
  readonly #known = new Map<string, NodeRecord>()
  readonly #unknown = new Map<string, NodeRecord>()
  readonly #knownAt: ByAddress = new Map()
  readonly #unknownAt: ByAddress = new Map()
  /** The node last heard of at each address: peers are known by their address only. */
  readonly #lastAt = new Map<string, string>()

  constructor(limits: Partial<InventoryLimits> = {}) {
    this.#limits = { ...defaults, ...limits }
  }

  get(id: string): NodeRecord | undefined {
    return this.#known.get(id) ?? this.#unknown.get(id)
  }

  isKnown(id: string): boolean {
    return this.#known.has(id)
  }

  /** The identity of the node that was last heard of at this address. */
  idAt(address: string): string | undefined {
    return this.#lastAt.get(address)
  }

  list(): NodeRecord[] {
    return [...this.#known.values(), ...this.#unknown.values()]
  }

  /**
   * The node was heard of: remembers it as it is now. Gives the identities that had to go for it.
   *
   * @param isNamed the configuration names it
   */
  put(node: NodeRecord, isNamed: boolean): string[] {
    const wasKnown = this.#known.has(node.id)
    this.#remove(node.id)
    const gone: string[] = []
    if (wasKnown || ((isNamed || node.hasBooted) && this.#makesRoom(node, gone))) {
      this.#add(this.#known, this.#knownAt, node)
      return gone
    }
    this.#add(this.#unknown, this.#unknownAt, node)
    const surplus = this.#surplusUnknown(addressOwner(node.address))
    if (surplus !== undefined) gone.push(this.#remove(surplus))
    return gone
  }

  /** Whether the node was remembered; it is no more. */
  forget(id: string): boolean {
    if (this.get(id) === undefined) return false
    this.#remove(id)
    return true
  }

  /** The node is the same but for its state: it was not heard of. */
  replace(node: NodeRecord): void {
    const nodes = this.#known.has(node.id) ? this.#known : this.#unknown
    nodes.set(node.id, node)
  }

  /** Whether there is room for one more known node, if need be that of one that is long gone, or of an address that has more. */
  #makesRoom({ address, lastSeenMs }: NodeRecord, gone: string[]): boolean {
    const own = this.#knownAt.get(addressOwner(address))?.size ?? 0
    if (own >= this.#limits.perAddressMax) return false
    if (this.#known.size < this.#limits.knownMax) return true
    const longest = first(this.#known.values())
    const isLongGone = longest !== undefined && lastSeenMs - longest.lastSeenMs >= this.#limits.silentMs
    const most = largest(this.#knownAt)
    const goes = isLongGone ? longest.id : most.size >= own + 2 ? first(most) : undefined
    if (goes !== undefined) gone.push(this.#remove(goes))
    return goes !== undefined
  }

  /** The unknown node that is one too many: the longest silent at the address, else at the one that has most. */
  #surplusUnknown(owner: string): string | undefined {
    const here = this.#unknownAt.get(owner)
    if (here !== undefined && here.size > this.#limits.perAddressMax) return first(here)
    if (this.#unknown.size <= this.#limits.unknownMax) return undefined
    const most = largest(this.#unknownAt)
    return first(most.size > 1 ? most : this.#unknown.keys())
  }

  #add(nodes: Map<string, NodeRecord>, at: ByAddress, node: NodeRecord): void {
    nodes.set(node.id, node)
    const owner = addressOwner(node.address)
    const ids = at.get(owner)
    if (ids === undefined) at.set(owner, new Set([node.id]))
    else ids.add(node.id)
    this.#lastAt.set(node.address, node.id)
  }

  #remove(id: string): string {
    const node = this.get(id)
    if (node === undefined) return id
    const { address } = node
    const at = this.#known.delete(id) ? this.#knownAt : this.#unknownAt
    this.#unknown.delete(id)
    const owner = addressOwner(address)
    const ids = at.get(owner)
    ids?.delete(id)
    if (ids?.size === 0) at.delete(owner)
    if (this.#lastAt.get(address) === id) this.#lastAt.delete(address)
    return id
  }
}

/** The nodes of the address that has most. */
function largest(at: ByAddress): ReadonlySet<string> {
  let most: ReadonlySet<string> = new Set()
  for (const ids of at.values()) if (ids.size > most.size) most = ids
  return most
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item
  return undefined
}
