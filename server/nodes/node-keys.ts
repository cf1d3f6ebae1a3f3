/**
 * The keys of nodes (docs/tickets.md), one each. Anybody can have a boot script for a MAC address that he invents, so they are bounded:
 * those of unknown nodes go first.
 */
import { NODES_MAX } from '../../src/limits.js'
import type { NodeKey, TicketChange } from '../../src/tickets.js'

/** What the keys are made with. */
export interface NodeKeysOptions {
  /** Whether a node has booted, or the configuration names it. */
  readonly isKnown: (node: string) => boolean
  /** Told of each change. */
  readonly changed: (change: TicketChange) => void
  readonly max?: number
}

/** What a signed request is for; each kind has numbers of its own, for two threads of an agent send them. */
export type RequestKind = 'manifest' | 'report'

/** See the module. */
export class NodeKeys {
  readonly #options: NodeKeysOptions
  /** Redeemed longest ago first. */
  readonly #keys = new Map<string, NodeKey>()
  readonly #nodeOfTicket = new Map<string, string>()
  /** Numbers of the last reports. Those of manifests are in the keys: they outlast a restart. */
  readonly #reports = new Map<string, number>()

  constructor(options: NodeKeysOptions) {
    this.#options = options
  }

  /** Those of before a restart. */
  restore(stored: readonly NodeKey[]): void {
    for (const key of [...stored].sort((a, b) => a.redeemedMs - b.redeemedMs)) this.#add(key)
  }

  get(node: string): NodeKey | undefined {
    return this.#keys.get(node)
  }

  /** The key that a ticket was redeemed with. */
  ofTicket(sha256: string): NodeKey | undefined {
    return this.#keys.get(this.#nodeOfTicket.get(sha256) ?? '')
  }

  /** A node has another key from now on. */
  put(key: NodeKey): void {
    this.#take(key.node)
    this.#makeRoom()
    this.#add(key)
    this.#options.changed({ node: key.node, key })
  }

  /** The node has no key any more. */
  drop(node: string): void {
    if (this.#take(node)) this.#options.changed({ node })
  }

  /** Whether a request's number is greater than all before of its kind; it is the last one then. */
  count(node: string, kind: RequestKind, counter: number): boolean {
    const key = this.#keys.get(node)
    const last = kind === 'manifest' ? key?.counter : (this.#reports.get(node) ?? -1)
    if (key === undefined || last === undefined || counter <= last) return false
    if (kind === 'report') {
      this.#reports.set(node, counter)
    } else {
      const counted = { ...key, counter }
      this.#keys.set(node, counted)
      this.#options.changed({ node, key: counted })
    }
    return true
  }

  #add(key: NodeKey): void {
    this.#keys.set(key.node, key)
    this.#nodeOfTicket.set(key.ticketSha256, key.node)
  }

  /** Whether there was one. */
  #take(node: string): boolean {
    const key = this.#keys.get(node)
    if (key === undefined) return false
    this.#keys.delete(node)
    this.#nodeOfTicket.delete(key.ticketSha256)
    this.#reports.delete(node)
    return true
  }

  #makeRoom(): void {
    const { max = NODES_MAX, isKnown } = this.#options
    if (this.#keys.size < max) return
    const nodes = [...this.#keys.keys()]
    const victim = nodes.find((node) => !isKnown(node)) ?? nodes[0]
    if (victim !== undefined) this.drop(victim)
  }
}
