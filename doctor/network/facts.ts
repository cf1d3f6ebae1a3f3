/** What is known of the network interfaces and addresses; types only. */

/** An interface. */
export interface LinkFacts {
  readonly name: string
  /** False: the configuration names it, and there is none. */
  readonly exists: boolean
  readonly isBridge: boolean
  /** Interfaces below a bridge or a bond that lead out of the machine. */
  readonly ports: readonly string[]
  /** IFF_UP and a carrier. */
  readonly hasCarrier: boolean
  readonly mtu: number
  /** Undefined where the driver does not say (virtual ones). */
  readonly speedMbit: number | undefined
  readonly duplex: 'full' | 'half' | undefined
  /** Since it came up. */
  readonly errors: number
  readonly packets: number
  /** Of a bridge. */
  readonly stp: { readonly isOn: boolean; readonly forwardDelayMs: number } | undefined
  /** Of a bridge: ports that do not forward, and why (listening, learning, blocking). */
  readonly heldPorts: readonly string[]
}

/** A spanning tree whose BPDUs a switch sends. */
export interface BpduFacts {
  readonly interface: string
  /** As tcpdump prints it. */
  readonly text: string
}

/** Somebody else with our address. */
export interface DuplicateFacts {
  readonly interface: string
  readonly address: string
  readonly mac: string
}

/** A route of this machine. */
export interface RouteFacts {
  readonly interface: string
  readonly network: number
  readonly mask: number
}

/** All of it. */
export interface NetworkFacts {
  readonly links: readonly LinkFacts[]
  readonly bpdus: readonly BpduFacts[]
  readonly duplicates: readonly DuplicateFacts[]
  readonly routes: readonly RouteFacts[]
  /** net.ipv4.conf.NAME.rp_filter as it counts, by interface. */
  readonly rpFilter: Readonly<Record<string, number>>
}
