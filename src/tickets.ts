/** Boot tickets and the keys of nodes (docs/tickets.md), as they are remembered: never the ticket itself. */

/** What a boot script carries, until it is redeemed. */
export interface Ticket {
  /** Of the ticket, hex. */
  readonly sha256: string
  /** The machine that it was given to, `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  /** The node that it may be redeemed for. */
  readonly node: string
  /** Whose address asked for it ({@link addressOwner}). */
  readonly owner: string
  /** Milliseconds since 1970. */
  readonly issuedMs: number
  readonly expiresMs: number
}

/** One to be kept; without `ticket` it is forgotten. */
export interface TicketChange {
  readonly sha256: string
  readonly ticket?: Ticket
}
