/** The tickets of the running server, kept in its store. */
import { randomBytes } from 'node:crypto'
import { TICKETS_MAX } from '../../src/limits.js'
import type { TicketChange } from '../../src/tickets.js'
import { Tickets } from '../nodes/tickets.js'
import { WriteBehind } from '../process/write-behind.js'
import type { Store } from '../store/store.js'
import { after, type Common } from './parts.js'

/** See the module. */
export interface TicketSide {
  readonly tickets: Tickets
  /** Reads those of before a restart. */
  start(): void
  /** Writes the rest. */
  stop(): Promise<void>
}

/** Reads nothing before `start`. */
export function makeTickets({ failures, nowMs }: Common, store: Store): TicketSide {
  const changes = new WriteBehind<TicketChange>({
    ...{ part: 'saving tickets', keyOf: ({ sha256 }) => sha256, after, failures },
    // Each that comes may push another one out.
    max: 2 * TICKETS_MAX,
    save: (some) => store.saveTickets(some),
  })
  const tickets = new Tickets({
    random: () => randomBytes(16),
    changed: (change) => changes.keep([change]),
  })
  return {
    tickets,
    start: () => tickets.restore(store.tickets.list(), nowMs()),
    stop: () => changes.stop(),
  }
}
