/** A message of a client as the DHCP decisions take it in; types only. */

import type { DhcpMessage } from './message.js'

/** A message and how it arrived. */
export interface Arrival {
  readonly message: DhcpMessage
  /** `dhcp` is port 67, `boot` port 4011. */
  readonly port: 'dhcp' | 'boot'
  /** Name of the interface where it arrived; for a unicast, that of the address that it was sent to. */
  readonly interface: string
  /** Our address that it was sent to; undefined for a broadcast. */
  readonly local: number | undefined
  readonly from: { readonly address: number; readonly port: number }
}
