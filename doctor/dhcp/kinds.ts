/** The clients that the doctor plays: what each says of itself in a DISCOVER, as real firmware does. Pure. */

import { messageTypes, optionCodes } from '../../server/netboot/dhcp/message.js'
import type { DhcpPacket } from '../../server/netboot/dhcp/packet.js'

/** A kind of client. */
export type ClientKind = 'linux' | 'bios' | 'uefi-x64' | 'uefi-arm64' | 'http-x64' | 'ipxe'

/** What one says. */
interface Client {
  /** For people. */
  readonly title: string
  /** Option 60. */
  readonly vendorClass?: string
  /** Option 93. */
  readonly arch?: number
  /** Option 77. */
  readonly userClass?: string
}

/** All of them; `linux` is a client that does not boot from the network. */
export const clients: Readonly<Record<ClientKind, Client>> = {
  linux: { title: 'a plain DHCP client' },
  bios: { title: 'a PC BIOS', vendorClass: 'PXEClient:Arch:00000:UNDI:002001', arch: 0 },
  'uefi-x64': { title: 'UEFI PXE (x64)', vendorClass: 'PXEClient:Arch:00007:UNDI:003000', arch: 7 },
  'uefi-arm64': { title: 'UEFI PXE (arm64)', vendorClass: 'PXEClient:Arch:00011:UNDI:003000', arch: 11 },
  'http-x64': { title: 'UEFI HTTP boot (x64)', vendorClass: 'HTTPClient:Arch:00016:UNDI:003000', arch: 16 },
  ipxe: { title: 'iPXE', vendorClass: 'PXEClient:Arch:00000:UNDI:002001', arch: 0, userClass: 'iPXE' },
}

/** Their names. */
export const clientKinds = Object.keys(clients) as ClientKind[]

/** Subnet mask, router, DNS, vendor specific, lease time, server, vendor class, boot server and file (RFC 2132). */
const wantedOptions = [1, 3, 6, 15, 28, 43, 51, 54, 60, 66, 67]

/** A DISCOVER, or the REQUEST with which firmware asks a boot server at port 4011. Answers come by broadcast. */
export function makeQuestion(
  kind: ClientKind,
  type: 'discover' | 'request',
  { xid, mac, ciaddr = 0 }: { readonly xid: number; readonly mac: Buffer; readonly ciaddr?: number },
): DhcpPacket {
  const { vendorClass, arch, userClass } = clients[kind]
  const options = new Map<number, Buffer>([
    [optionCodes.messageType, Buffer.from([messageTypes[type]])],
    [optionCodes.parameterList, Buffer.from(wantedOptions)],
    [optionCodes.messageSizeMax, Buffer.from([0x05, 0xc0])],
  ])
  if (vendorClass !== undefined) options.set(optionCodes.vendorClass, Buffer.from(vendorClass, 'latin1'))
  if (arch !== undefined) {
    options.set(optionCodes.architecture, Buffer.from([arch >> 8, arch & 255]))
    // UNDI 3.0, and a machine identity made from the address.
    options.set(optionCodes.networkInterface, Buffer.from([1, 3, 0]))
    options.set(optionCodes.machineId, Buffer.concat([Buffer.from([0]), Buffer.alloc(10), mac]))
  }
  if (userClass !== undefined) options.set(optionCodes.userClass, Buffer.from(userClass, 'latin1'))
  return {
    op: 1,
    htype: 1,
    hops: 0,
    xid,
    // Some servers answer clients only that have been asking for a while.
    secs: 4,
    isBroadcast: true,
    ciaddr,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    chaddr: mac,
    sname: '',
    file: '',
    options,
  }
}
