/** The tickets and the keys of nodes of the running server, kept in its store. */
import { randomBytes } from 'node:crypto'
import { NODES_MAX, TICKETS_MAX } from '../../src/limits.js'
import type { TicketChange } from '../../src/tickets.js'
import { NodeKeys } from '../nodes/node-keys.js'
import { NodeProofs } from '../nodes/node-proofs.js'
import type { NodeRegistry } from '../nodes/registry.js'
import { Tickets } from '../nodes/tickets.js'
import { WriteBehind } from '../process/write-behind.js'
import type { Store } from '../store/store.js'
import type { Timeline } from '../timeline/timeline.js'
import { after, type Common } from './parts.js'

/** See the module. */
export interface TicketSide {
  readonly tickets: Tickets
  readonly keys: NodeKeys
  readonly proofs: NodeProofs
  /** Reads those of before a restart. */
  start(): void
  /** Writes the rest. */
  stop(): Promise<void>
}

/** What they need of the others. */
export interface TicketParts {
  readonly store: Store
  readonly timeline: Timeline
  /** Has started, and whoever it forgets has no key any more. */
  readonly registry: Pick<NodeRegistry, 'get' | 'isKnown' | 'onForgotten'>
}

/** Reads nothing before `start`. */
export function makeTickets(common: Common, { store, timeline, registry }: TicketParts): TicketSide {
  const { failures, nowMs } = common
  const changes = new WriteBehind<TicketChange>({
    ...{ part: 'saving tickets and keys of nodes', after, failures },
    keyOf: (change) => ('sha256' in change ? change.sha256 : `node ${change.node}`),
    // Each that comes may push another one out.
    max: 2 * (TICKETS_MAX + NODES_MAX),
    save: (some) => store.saveTickets(some),
  })
  const changed = (change: TicketChange) => changes.keep([change])
  const tickets = new Tickets({ random: () => randomBytes(16), changed })
  const keys = new NodeKeys({ isKnown: (node) => registry.isKnown(node), changed })
  registry.onForgotten((node) => keys.drop(node))
  return {
    tickets,
    keys,
    proofs: new NodeProofs({
      ...{ tickets, keys, nowMs, log: common.log.child({ part: 'nodes' }) },
      tell: (mac, type, data) => timeline.ofMac(mac, type, data),
    }),
    start: () => {
      tickets.restore(store.tickets.list(), nowMs())
      const kept = store.tickets.keys()
      keys.restore(kept)
      for (const { node } of kept) if (registry.get(node) === undefined) keys.drop(node)
    },
    stop: () => changes.stop(),
  }
}
