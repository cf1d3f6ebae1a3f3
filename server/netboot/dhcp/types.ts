/** What goes into and comes out of the DHCP decisions; types only. */

import type { Ipv4Subnet } from '../../../src/ipv4.js'
import type { BootChoice } from '../boot-choice.js'
import type { DhcpMessage, RelayPort } from './message.js'
import type { DhcpPacket } from './packet.js'

/** One of this machine's interfaces. */
export interface DhcpInterface {
  readonly name: string
  readonly address: number
  readonly subnet: Ipv4Subnet
}

/** Addresses to give away in one subnet. */
export interface DhcpPool {
  readonly subnet: Ipv4Subnet
  readonly first: number
  readonly last: number
  /** 0: none. */
  readonly router: number
  readonly dns: readonly number[]
  /** Empty: none. */
  readonly domain: string
}

/** An address that belongs to one machine. */
export interface DhcpReservation {
  readonly mac: string
  readonly address: number
}

/** How the site wants it. */
export interface DhcpSite {
  readonly mode: 'proxy' | 'full'
  readonly interfaces: readonly DhcpInterface[]
  /** Not in proxy mode, one for each subnet. */
  readonly pools: readonly DhcpPool[]
  readonly reservations: readonly DhcpReservation[]
  readonly leaseS: number
  /** Host of the HTTP listener in URLs where it is not the address of the receiving interface. */
  readonly httpHost?: string
  readonly httpPort: number
}

/** A message and how it came. */
export interface Arrival {
  readonly message: DhcpMessage
  /** `dhcp` is port 67, `boot` port 4011. */
  readonly port: 'dhcp' | 'boot'
  /** Name of the interface that it came in by; of a unicast, that of the address that it was sent to. */
  readonly interface: string
  /** Our address that it was sent to; undefined for a broadcast. */
  readonly local: number | undefined
  readonly from: { readonly address: number; readonly port: number }
}

/** What a machine shall load when it reaches us at an address; undefined if it does not ask for network boot. */
export type BootFor = ((server: number) => BootChoice) | undefined

/** An address given to a machine, until `expiresMs`; afterwards it is remembered until another machine needs it. */
export interface Lease {
  readonly mac: string
  readonly address: number
  /** Since 1970. */
  readonly expiresMs: number
  /** Only offered yet: not kept for the next start, and given back when the machine takes another server's. */
  readonly isOffer?: true
  /** Where a relay saw it; kept from one boot to the next. */
  readonly relayPort?: RelayPort
}

/** Something to do. */
export type Effect =
  | {
      readonly kind: 'send'
      readonly packet: DhcpPacket
      readonly port: 'dhcp' | 'boot'
      /** Our address: the interface that it leaves by. */
      readonly via: number
      readonly to: { readonly address: number; readonly port: number }
    }
  /** Find out who uses an address; the answer comes back as `probed`. */
  | { readonly kind: 'probe'; readonly address: number; readonly via: number }
  /** Keep this lease for the next start, in place of an earlier one of this address. */
  | { readonly kind: 'lease'; readonly lease: Lease }
  /** A relay says where a machine is. */
  | { readonly kind: 'seen'; readonly mac: string; readonly relayPort: RelayPort }
  /** Another DHCP server gives addresses here. */
  | { readonly kind: 'other-server'; readonly address: number }
  /** Forget what was kept of this address. */
  | { readonly kind: 'forget'; readonly address: number }
  | {
      readonly kind: 'tell'
      readonly level: 'debug' | 'info' | 'warn'
      readonly event: string
      readonly facts: Readonly<Record<string, string | number | boolean>>
      readonly text: string
    }

/** Counters, in the order of docs/protocol.md. */
export const counterNames = [
  'received',
  'malformed',
  'ignored',
  'ignored_reply',
  'ignored_not_ethernet',
  'ignored_not_netboot',
  'ignored_other_server',
  'ignored_no_pool',
  'ignored_no_address',
  'ignored_not_its_own',
  'ignored_wrong_type',
  'discovers',
  'repeated',
  'offers',
  'requests',
  'acks',
  'naks',
  'declines',
  'releases',
  'informs',
  'boot_offers',
  'boot_replies',
  'refused',
  'conflicts',
  'exhausted',
] as const
/** One of them. */
export type CounterName = (typeof counterNames)[number]

/** Why a message is dropped that is well formed: `ignored` counts all of them, and each has a counter of its own. */
export type DropReason = CounterName extends infer Name
  ? Name extends `ignored_${infer Reason}`
    ? Reason
    : never
  : never
