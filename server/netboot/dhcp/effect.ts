/** What the DHCP decisions want done; types only. */

import type { Lease, RelayPort } from '../../../src/dhcp-lease.js'
import type { Fact } from '../../../src/timeline.js'
import type { DhcpPacket } from './packet.js'

/** One thing to do. */
export type Effect =
  | {
      readonly kind: 'send'
      readonly packet: DhcpPacket
      readonly port: 'dhcp' | 'boot'
      /** Our address: the interface that it leaves by. */
      readonly via: number
      readonly to: { readonly address: number; readonly port: number }
    }
  /** Find out who uses an address; the answer comes back as `probed`. Thoroughly: it would be taken from somebody. */
  | { readonly kind: 'probe'; readonly address: number; readonly via: number; readonly isThorough: boolean }
  /** Store this lease for the next start, in place of an earlier one of this address. */
  | { readonly kind: 'lease'; readonly lease: Lease }
  /** A relay says where a machine is. */
  | { readonly kind: 'seen'; readonly mac: string; readonly relayPort: RelayPort }
  /** Another DHCP server assigns addresses here. */
  | { readonly kind: 'other-server'; readonly address: number }
  /** Delete what is stored of this address. */
  | { readonly kind: 'forget'; readonly address: number }
  /** For the timeline. */
  | { readonly kind: 'fact'; readonly fact: Fact }
  | {
      readonly kind: 'tell'
      readonly level: 'debug' | 'info' | 'warn'
      readonly event: string
      readonly facts: Readonly<Record<string, string | number | boolean>>
      readonly text: string
    }
