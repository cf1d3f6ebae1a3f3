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
 * The address whose peers are no more, if there is one: what a node seeded went with its memory. Of several nodes at
 * one address the others may live, so it is forgotten for the one that was heard there last only.
 */
export function forgottenAddress(boot: string, known: KnownNode | undefined): string | undefined {
  if (boot === '' || known === undefined || known.boot === boot) return undefined
  return known.isLastThere ? known.address : undefined
}
