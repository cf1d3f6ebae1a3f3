/** What another DHCP server answered, as plain values. Pure. */

import { messageTypes, optionCodes } from '../../server/netboot/dhcp/message.js'
import { parsePacket } from '../../server/netboot/dhcp/packet.js'
import { formatIpv4 } from '../../src/ipv4.js'
import type { ClientKind } from './kinds.js'

/** An answer. Addresses as text, empty where there is none. */
export interface Offer {
  readonly kind: ClientKind
  /** The interface that was asked on. */
  readonly interface: string
  /** Option 54, else who sent the datagram. */
  readonly server: string
  /** Who sent the datagram: a relay, if not the server. */
  readonly from: string
  readonly yiaddr: string
  readonly siaddr: string
  readonly giaddr: string
  /** `file`, else option 67. */
  readonly file: string
  /** Option 66. */
  readonly tftpServer: string
  /** Option 60. */
  readonly vendorClass: string
  /** Option 43, hex digits. */
  readonly vendorSpecific: string
  readonly subnetMask: string
  readonly router: string
}

/** Reads an answer; undefined for what is none, or was not for us. */
export function readOffer(
  bytes: Uint8Array,
  from: string,
  questions: ReadonlyMap<number, { readonly kind: ClientKind; readonly interface: string }>,
): Offer | undefined {
  const packet = parsePacket(bytes)
  if ('malformed' in packet || packet.op !== 2) return undefined
  const question = questions.get(packet.xid)
  const type = packet.options.get(optionCodes.messageType)?.[0]
  if (question === undefined || (type !== messageTypes.offer && type !== messageTypes.ack)) return undefined
  const { options } = packet
  const text = (code: number) => printable(options.get(code)?.toString('latin1') ?? '')
  const address = (code: number) => {
    const value = options.get(code)
    return value === undefined || value.length < 4 ? '' : formatIpv4(value.readUInt32BE(0))
  }
  const given = (value: number) => (value === 0 ? '' : formatIpv4(value))
  return {
    kind: question.kind,
    interface: question.interface,
    server: address(optionCodes.serverId) || from,
    from,
    yiaddr: given(packet.yiaddr),
    siaddr: given(packet.siaddr),
    giaddr: given(packet.giaddr),
    file: printable(packet.file) || text(optionCodes.bootFile),
    tftpServer: text(optionCodes.tftpServer),
    vendorClass: text(optionCodes.vendorClass),
    vendorSpecific: options.get(optionCodes.vendorSpecific)?.toString('hex') ?? '',
    subnetMask: address(optionCodes.subnetMask),
    router: address(optionCodes.router),
  }
}

/** Anybody on the network writes these: nothing of it may reach a terminal but letters. */
function printable(text: string): string {
  return text.replace(/\0+$/, '').replace(/[^\x20-\x7e]/g, '?')
}
