/** What the tracker forgets of a node that boots again. A pure decision. */

/** A node as it was known before it asked for this manifest. */
export interface KnownNode {
  /** Its boot; empty before it has told one. */
  readonly boot: string
  readonly address: string
  /** Whether no other node was heard at that address since. */
  readonly isLastThere: boolean
}

/**
 * Whether the peers at the address that a manifest is requested from are no more: what a node seeded went with its memory. Of several
 * nodes at one address the others may live, so it is forgotten for the one that was heard there last only. A node that comes from
 * another address than before leaves nothing behind that is forgotten: anybody can say that he is a node that seeds elsewhere.
 */
export function isForgotten(boot: string, address: string, known: KnownNode | undefined): boolean {
  if (boot === '' || known === undefined || known.boot === boot) return false
  return known.address === address && known.isLastThere
}
