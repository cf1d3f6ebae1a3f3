/** A lease of DHCP: the same for the process that gives it, the daemon that is told of it and the store that keeps it. */

/** Where on the network a relay saw a machine (option 82, RFC 3046), as hex digits; empty where it does not say. */
export interface RelayPort {
  readonly circuitId: string
  readonly remoteId: string
}

/** An address given to a machine, until `expiresMs`; afterwards it is remembered until another machine needs it. */
export interface Lease {
  /** `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  /** IPv4 address as a number. */
  readonly address: number
  /** Since 1970. */
  readonly expiresMs: number
  /** Where a relay saw it; kept from one boot to the next. */
  readonly relayPort?: RelayPort
}

/** What is to be kept of an address from now on; `lease` undefined: nothing. */
export interface LeaseChange {
  readonly address: number
  readonly lease: Lease | undefined
}
