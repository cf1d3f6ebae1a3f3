/**
 * The inventory: all nodes that were seen, their states and their events, in memory, and written to the store
 * in batches, so that 500 nodes reporting at once cost one transaction a second.
 */
import type { BootEvent } from '../../src/events.js'
import { NODES_MAX } from '../../src/limits.js'
import {
  afterEvent,
  afterManifest,
  afterTime,
  isBooting,
  type NodeRecord,
  type NodeState,
  newNode,
  nodeStates,
} from './state.js'

/** A stored event of a node. */
export interface NodeEvent {
  readonly nodeId: string
  readonly receivedMs: number
  readonly event: BootEvent
}

/** What outlasts the process. Each call is one transaction; the store itself drops what is too much. */
export interface NodeStore {
  loadNodes(): NodeRecord[]
  saveNodes(nodes: readonly NodeRecord[], events: readonly NodeEvent[]): void
}

/** What the configuration says of a node at an address. */
export type DescribeNode = (
  id: string,
  address: string,
) => { readonly rack: string; readonly hostname: string }

/** Called with each event that was taken in, and the node after it. */
export type EventListener = (node: NodeRecord, event: BootEvent) => void

/** Waits for a batch; more events than `eventsMax` are written at once. */
const batch = { flushMs: 1000, eventsMax: 4096 } as const

/** All nodes of the site. */
export class NodeRegistry {
  readonly #nodes = new Map<string, NodeRecord>()
  /** The node last seen at each address: peers are known by their address only. */
  readonly #byAddress = new Map<string, string>()
  readonly #dirty = new Set<string>()
  #events: NodeEvent[] = []
  readonly #store: NodeStore
  readonly #describe: DescribeNode
  readonly #nowMs: () => number
  readonly #onStoreError: (error: unknown) => void
  readonly #onLost: (node: NodeRecord) => void
  readonly #listeners = new Set<EventListener>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: {
    readonly store: NodeStore
    readonly describe: DescribeNode
    /** Wall clock, milliseconds since 1970. */
    readonly nowMs: () => number
    readonly onStoreError: (error: unknown) => void
    /** A node fell silent in mid-boot; as it stood before. */
    readonly onLost?: (node: NodeRecord) => void
  }) {
    this.#store = options.store
    this.#describe = options.describe
    this.#nowMs = options.nowMs
    this.#onStoreError = options.onStoreError
    this.#onLost = options.onLost ?? (() => {})
  }

  /** Loads what was known, and writes what is new once a second from now on. */
  start(): void {
    // Oldest first, so that the map is ordered by each node's last message.
    const nodes = this.#store.loadNodes().sort((a, b) => a.lastSeenMs - b.lastSeenMs)
    for (const node of nodes.slice(-NODES_MAX)) {
      this.#nodes.set(node.id, node)
      this.#byAddress.set(node.address, node.id)
    }
    this.#timer = setInterval(() => {
      this.findLost()
      this.flush()
    }, batch.flushMs)
    this.#timer.unref()
  }

  /** Writes the rest. */
  stop(): void {
    clearInterval(this.#timer)
    this.flush()
  }

  /** Registers a listener; the result takes it away again. */
  onEvent(listener: EventListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The version that this boot of the node began with, if it is in mid-boot. */
  versionOfBoot(id: string, boot: string): number | undefined {
    const node = this.get(id)
    if (node === undefined || boot === '' || node.boot !== boot || !isBooting(node)) return undefined
    return node.version === 0 ? undefined : node.version
  }

  /** Notes that the node was given a manifest of `version`. */
  manifestServed(id: string, address: string, boot: string, version: number): void {
    this.#put(afterManifest(this.#known(id, address), boot, version, this.#nowMs()))
  }

  /** Takes in what a node reports. */
  eventsReceived(id: string, address: string, events: readonly BootEvent[]): void {
    let node = this.#known(id, address)
    const receivedMs = this.#nowMs()
    for (const event of events) {
      const isNew = event.boot !== node.boot || event.seq > node.lastSeq
      node = afterEvent(node, event, receivedMs)
      this.#put(node)
      if (!isNew) continue
      // Reports of seeds that go on for weeks would push the boot out of the store, and say nothing in the end.
      if (event.type !== 'seeding') this.#events.push({ nodeId: id, receivedMs, event })
      for (const listener of this.#listeners) listener(node, event)
    }
    if (this.#events.length >= batch.eventsMax) this.flush()
  }

  /** Records the seeding interval that the node was sent. */
  seedTold(id: string, seedS: number): void {
    const node = this.#nodes.get(id)
    if (node !== undefined) this.#nodes.set(id, { ...node, seedS })
  }

  /** A node's current state. */
  get(id: string): NodeRecord | undefined {
    const node = this.#nodes.get(id)
    return node === undefined ? undefined : afterTime(node, this.#nowMs())
  }

  /** The identity of the node that was last seen at this address. */
  idAt(address: string): string | undefined {
    return this.#byAddress.get(address)
  }

  /** All nodes as they stand now. */
  list(): NodeRecord[] {
    const nowMs = this.#nowMs()
    return [...this.#nodes.values()].map((node) => afterTime(node, nowMs))
  }

  /** How many nodes are in each state. */
  countByState(): Record<NodeState, number> {
    const counts = Object.fromEntries(nodeStates.map((state) => [state, 0])) as Record<NodeState, number>
    for (const node of this.list()) counts[node.state] += 1
    return counts
  }

  /** Whether a node still boots this version. */
  isBootingVersion(version: number): boolean {
    return this.list().some((node) => node.version === version && isBooting(node))
  }

  /** Marks nodes as lost that have been silent for too long. */
  findLost(): void {
    const nowMs = this.#nowMs()
    for (const node of this.#nodes.values()) {
      const now = afterTime(node, nowMs)
      if (now === node) continue
      // In its place: the node sent no message.
      this.#nodes.set(node.id, now)
      this.#dirty.add(node.id)
      this.#onLost(node)
    }
  }

  /** Writes what has changed; what fails stays to be written again. */
  flush(): void {
    if (this.#dirty.size === 0 && this.#events.length === 0) return
    const changed = [...this.#dirty].flatMap((id) => this.#nodes.get(id) ?? [])
    try {
      this.#store.saveNodes(
        changed,
        this.#events.filter((event) => this.#nodes.has(event.nodeId)),
      )
      this.#dirty.clear()
      this.#events = []
    } catch (error) {
      // A full disk must not fill the memory too.
      if (this.#events.length > batch.eventsMax * 4) this.#events = this.#events.slice(-batch.eventsMax)
      this.#onStoreError(error)
    }
  }

  #known(id: string, address: string): NodeRecord {
    const { rack, hostname } = this.#describe(id, address)
    const node = this.#nodes.get(id)
    if (node === undefined) return newNode(id, rack, hostname, address, this.#nowMs())
    return { ...afterTime(node, this.#nowMs()), rack, hostname, address }
  }

  #put(node: NodeRecord): void {
    // Taken out and put in again: the map stays ordered by last message.
    this.#forgetAddress(node.id)
    this.#nodes.delete(node.id)
    this.#nodes.set(node.id, node)
    this.#byAddress.set(node.address, node.id)
    this.#dirty.add(node.id)
    if (this.#nodes.size > NODES_MAX) this.#evict()
  }

  #evict(): void {
    const oldest = this.#nodes.keys().next().value
    if (oldest === undefined) return
    this.#forgetAddress(oldest)
    this.#nodes.delete(oldest)
    this.#dirty.delete(oldest)
  }

  #forgetAddress(id: string): void {
    const address = this.#nodes.get(id)?.address
    if (address !== undefined && this.#byAddress.get(address) === id) this.#byAddress.delete(address)
  }
}
