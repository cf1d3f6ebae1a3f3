/** Boot tickets and the keys of nodes (docs/tickets.md), as they are remembered: never the ticket itself. */

/** The values of `tickets`: whether a node boots that proves nothing. */
export const ticketModes = ['optional', 'required'] as const
/** One of them. */
export type TicketMode = (typeof ticketModes)[number]

/** What a boot script carries, until it is redeemed. */
export interface Ticket {
  /** Of the ticket, hex. */
  readonly sha256: string
  /** The machine that it was given to, `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  /** The node that it may be redeemed for. */
  readonly node: string
  /** From where it asked for its script. */
  readonly address: string
  /** Milliseconds since 1970. */
  readonly issuedMs: number
  readonly expiresMs: number
}

/** The key of a node's newest boot. */
export interface NodeKey {
  readonly node: string
  readonly mac: string
  /** Ed25519, 64 lower-case hex digits. */
  readonly key: string
  /** Of the ticket that it was redeemed with. */
  readonly ticketSha256: string
  /** From where. */
  readonly address: string
  /** Milliseconds since 1970. */
  readonly redeemedMs: number
  /** Of its last request for a manifest. */
  readonly counter: number
}

/** A ticket or a key to be kept; without it, it is forgotten. */
export type TicketChange =
  | { readonly sha256: string; readonly ticket?: Ticket }
  | { readonly node: string; readonly key?: NodeKey }
