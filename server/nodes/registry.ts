/**
 * All nodes that are remembered, with their states, in memory; what they report goes to the timeline, and is acknowledged when
 * it is on the disk.
 */
import type { AgentEvent } from '../../src/events.js'
import type { MachineFacts } from '../../src/inventory.js'
import type { Failures } from '../process/failures.js'
import { Recurring } from '../process/recurring.js'
import type { NodeRow } from '../store/store.js'
import type { Timeline } from '../timeline/timeline.js'
import type { ReportStats } from '../timeline/writer.js'
import { Inventory } from './inventory.js'
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

/** A node as it is written. */
export interface StoredNode {
  readonly node: NodeRecord
  readonly isKnown: boolean
}

/** The nodes as they outlast the process. */
export interface NodeStore {
  loadNodes(): StoredNode[]
  /** The row of a node. */
  rowOf(node: StoredNode): NodeRow
}

/** What the configuration says of a node at an address; `machine`: of one that is not in the registry yet. */
export type DescribeNode = (
  id: string,
  address: string,
  machine?: MachineFacts,
) => { readonly rack: string; readonly hostname: string; readonly isNamed?: boolean }

/** Called with each event that was taken in, and the node after it. */
export type EventListener = (node: NodeRecord, event: AgentEvent) => void

/** What a registry is made of. */
export interface RegistryOptions {
  readonly store: NodeStore
  readonly timeline: Timeline
  readonly describe: DescribeNode
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  /** Where it is named what fails. */
  readonly failures: Failures
  /** A node fell silent in mid-boot; as it stood before. */
  readonly onLost?: (node: NodeRecord) => void
}

/** Silent nodes are looked for this often, milliseconds. */
const lookMs = 1000

/** All nodes of the site. */
export class NodeRegistry {
  readonly #options: RegistryOptions
  #inventory = new Inventory()
  readonly #listeners = new Set<EventListener>()
  readonly #forgetting = new Set<(id: string) => void>()
  readonly #looking: Recurring

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#looking = new Recurring({
      part: 'looking for silent nodes',
      everyMs: lookMs,
      run: () => this.findLost(),
      failures: options.failures,
    })
  }

  /** Loads what was known, and looks for silent nodes from now on. */
  start(): void {
    // Longest silent first, so that the inventory is ordered by each node's last message.
    const stored = this.#options.store.loadNodes().sort((a, b) => a.node.lastSeenMs - b.node.lastSeenMs)
    this.#inventory = new Inventory()
    this.#options.timeline.begin({
      stored: stored.map(({ node }) => node.id),
      isRemembered: (id) => this.#inventory.get(id) !== undefined,
      isKnown: (id) => this.#inventory.isKnown(id),
      row: (id) => this.#row(id),
    })
    for (const { node, isKnown } of stored) {
      for (const gone of this.#inventory.put(node, isKnown)) this.#forgotten(gone)
    }
    this.#looking.start()
  }

  /** Writes the rest. */
  async stop(): Promise<void> {
    this.#looking.stop()
    await this.#options.timeline.stop()
  }

  /** Registers a listener; the result takes it away again. */
  onEvent(listener: EventListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Registers who is told of nodes that are remembered no more. */
  onForgotten(listener: (id: string) => void): void {
    this.#forgetting.add(listener)
  }

  /** The version that this boot of the node began with, if it is in mid-boot. */
  versionOfBoot(id: string, boot: string): number | undefined {
    const node = this.get(id)
    if (node === undefined || boot === '' || node.boot !== boot || !isBooting(node)) return undefined
    return node.version === 0 ? undefined : node.version
  }

  /** Notes that the node was given a manifest of `version`. */
  manifestServed(id: string, address: string, boot: string, version: number): void {
    const { timeline, nowMs } = this.#options
    this.#put(afterManifest(this.#heardOf(id, address), boot, version, nowMs()))
    timeline.node(id, boot, address, 'manifest.sent', { version })
  }

  /**
   * Takes in what a node reports; resolves when it is on the disk.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED: the node is to send it again
   */
  async eventsReceived(id: string, address: string, events: readonly AgentEvent[]): Promise<void> {
    const { timeline, nowMs } = this.#options
    try {
      timeline.checkReports()
    } catch (error) {
      // It is alive all the same, which takes no room.
      if (this.#inventory.get(id) !== undefined) this.#put(this.#alive(id, address))
      throw error
    }
    let node = this.#heardOf(id, address)
    const receivedMs = nowMs()
    const fresh: { readonly event: AgentEvent; readonly after: NodeRecord }[] = []
    for (const event of events) {
      const isNew = event.boot !== node.boot || event.seq > node.lastSeq
      node = afterEvent(node, event, receivedMs)
      if (isNew) fresh.push({ event, after: node })
    }
    this.#put(node)
    for (const { event, after } of fresh) {
      // Reports of seeds that go on for weeks would push the boot out of the store, and say nothing in the end.
      if (event.type !== 'seeding') timeline.reported(id, address, event, receivedMs)
      this.#tell(after, event)
    }
    await timeline.written()
  }

  /**
   * Forgets a node and its events; resolves when that is on the disk. One that speaks again is a new node.
   *
   * @throws BootswarmError REPORTS_NOT_SAVED: it is forgotten on the disk later
   */
  async forget(id: string): Promise<void> {
    if (!this.#inventory.forget(id)) return
    this.#forgotten(id)
    await this.#options.timeline.written()
  }

  /** Records the seeding interval that the node was sent. */
  seedTold(id: string, seedS: number): void {
    const node = this.#inventory.get(id)
    if (node !== undefined) this.#inventory.replace({ ...node, seedS })
  }

  /** A node's current state. */
  get(id: string): NodeRecord | undefined {
    const node = this.#inventory.get(id)
    return node === undefined ? undefined : afterTime(node, this.#options.nowMs())
  }

  /** The identity of the node that was last heard of at this address. */
  idAt(address: string): string | undefined {
    return this.#inventory.idAt(address)
  }

  /** Whether a node of this name has booted or is named by the configuration. */
  isKnown(id: string): boolean {
    return this.#inventory.isKnown(id)
  }

  /** The same, and whether it was last heard of at this address. */
  isKnownAt(id: string, address: string): boolean {
    return this.#inventory.isKnown(id) && this.#inventory.get(id)?.address === address
  }

  /** All nodes as they stand now. */
  list(): NodeRecord[] {
    const nowMs = this.#options.nowMs()
    return this.#inventory.list().map((node) => afterTime(node, nowMs))
  }

  /** How many nodes are in each state. */
  countByState(): Record<NodeState, number> {
    const counts = Object.fromEntries(nodeStates.map((state) => [state, 0])) as Record<NodeState, number>
    for (const node of this.list()) counts[node.state] += 1
    return counts
  }

  /** The rack with most nodes that have booted or are named; undefined: there is none. Invented nodes do not count. */
  largestRack(): { readonly name: string; readonly nodes: number } | undefined {
    const sizes = new Map<string, number>()
    for (const { id, rack } of this.#inventory.list()) {
      if (this.#inventory.isKnown(id)) sizes.set(rack, (sizes.get(rack) ?? 0) + 1)
    }
    let largest: { name: string; nodes: number } | undefined
    for (const [name, nodes] of sizes) if (nodes > (largest?.nodes ?? 0)) largest = { name, nodes }
    return largest
  }

  /** How the writing of reports stands. */
  reportStats(): ReportStats {
    return this.#options.timeline.reportStats()
  }

  /** Whether a node still boots this version. */
  isBootingVersion(version: number): boolean {
    return this.list().some((node) => node.version === version && isBooting(node))
  }

  /** Marks nodes as lost that have been silent for too long. */
  findLost(): void {
    const { timeline, onLost } = this.#options
    const nowMs = this.#options.nowMs()
    for (const node of this.#inventory.list()) {
      const now = afterTime(node, nowMs)
      if (now === node) continue
      this.#inventory.replace(now)
      timeline.nodeChanged(node.id)
      timeline.node(node.id, node.boot, node.address, 'node.lost', { stood: node.state })
      onLost?.(node)
    }
  }

  #row(id: string): NodeRow | undefined {
    const node = this.#inventory.get(id)
    if (node === undefined) return undefined
    return this.#options.store.rowOf({ node, isKnown: this.#inventory.isKnown(id) })
  }

  #forgotten(id: string): void {
    this.#options.timeline.nodeForgotten(id)
    for (const listener of this.#forgetting) listener(id)
  }

  #alive(id: string, address: string): NodeRecord {
    const node = this.#heardOf(id, address)
    const nowMs = this.#options.nowMs()
    return { ...node, lastSeenMs: nowMs, ...(isBooting(node) ? { bootHeardMs: nowMs } : {}) }
  }

  #heardOf(id: string, address: string): NodeRecord {
    const { nowMs, describe } = this.#options
    const { rack, hostname } = describe(id, address)
    const node = this.#inventory.get(id)
    if (node === undefined) return newNode(id, rack, hostname, address, nowMs())
    return { ...afterTime(node, nowMs()), rack, hostname, address }
  }

  #put(node: NodeRecord): void {
    const { isNamed = false } = this.#options.describe(node.id, node.address)
    const { timeline } = this.#options
    for (const gone of this.#inventory.put(node, isNamed)) this.#forgotten(gone)
    if (this.#inventory.get(node.id) !== undefined) timeline.nodeChanged(node.id)
  }

  /** What a listener throws is named, and keeps nothing from the others. */
  #tell(node: NodeRecord, event: AgentEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(node, event)
      } catch (error) {
        this.#options.failures.failed('telling what nodes report', error)
      }
    }
  }
}
