/** Makes replies: what every one has, what network boot needs in it, and where it is sent (RFC 2131 4.1, RFC 4578). */

import { broadcastOf, formatIpv4 } from '../../../src/ipv4.js'
import { DHCP_REPLY_BYTES_MAX } from '../../../src/limits.js'
import type { BootChoice } from '../boot-choice.js'
import type { DhcpPool, DhcpSite } from '../dhcp-site.js'
import type { Arrival } from './arrival.js'
import type { Effect } from './effect.js'
import { type MessageType, messageTypes, optionCodes } from './message.js'
import { type DhcpPacket, encodedBytes } from './packet.js'

const serverPort = 67
const clientPort = 68
const everybody = 0xffffffff

const optionBytesMax = 255

/** The largest text of the `file` field, which ends with a zero byte. */
const fileBytesMax = 127

/** Option 43 with PXE_DISCOVERY_CONTROL 8: no boot server discovery, load `file` at once (PXE 2.1, table 2-1). */
const loadFileAtOnce = Buffer.from([6, 1, 8, 255])

/** Option 175 with 176 = 1: iPXE does not wait for a proxyDHCP server. */
const noProxyWait = Buffer.from([176, 1, 1])

/** The parts in which replies differ. */
export interface ReplyParts {
  readonly type: MessageType
  /** Our address, as the client reaches it. */
  readonly server: number
  /** Server identifier (option 54), if that is not this address. */
  readonly serverId?: number
  /** The address given; 0 for none. */
  readonly yiaddr?: number
  readonly ciaddr?: number
  readonly boot?: BootChoice
  /** We are the only DHCP server. */
  readonly isFull: boolean
  readonly more?: Iterable<readonly [number, Buffer]>
}

/** Our address that a client reaches: the one that it sent to, else that of the interface where it is. */
export function serverOf({ local, interface: name }: Arrival, site: DhcpSite): number | undefined {
  return local ?? site.interfaces.find((one) => one.name === name)?.address
}

/** Makes a reply, with its destination. */
export function makeReply(arrival: Arrival, parts: ReplyParts): Effect {
  const { message, port } = arrival
  const { packet: asked } = message
  const { type, server, boot, isFull } = parts
  const options = new Map<number, Buffer>([
    [optionCodes.messageType, Buffer.from([messageTypes[type]])],
    [optionCodes.serverId, addressBytes(parts.serverId ?? server)],
    ...(parts.more ?? []),
  ])
  let file = ''
  if (boot !== undefined && boot.kind !== 'refused') {
    file = addBoot(options, arrival, boot, parts)
  }
  // Echoed as they came.
  if (message.machineId !== undefined) options.set(optionCodes.machineId, message.machineId)
  const subnet = message.packet.options.get(optionCodes.subnetSelection)
  if (isFull && message.link !== undefined && subnet !== undefined)
    options.set(optionCodes.subnetSelection, subnet)
  // Last of the options for clients: firmware that reads beyond its end finds the end mark and zero bytes.
  if (file !== '') options.set(optionCodes.bootFile, zeroEnded(file))
  // Relays want it last, and take it away (RFC 3046 2.1).
  if (message.relayInfo !== undefined) options.set(optionCodes.relayInfo, message.relayInfo)
  const hasBoot = file !== ''
  const packet: DhcpPacket = {
    op: 2,
    htype: asked.htype,
    hops: 0,
    xid: asked.xid,
    secs: 0,
    // A relay sends a NAK by broadcast: the client has no address that is right (RFC 2131 4.3.2).
    isBroadcast: asked.isBroadcast || (type === 'nak' && asked.giaddr !== 0),
    ciaddr: parts.ciaddr ?? 0,
    yiaddr: parts.yiaddr ?? 0,
    siaddr: hasBoot ? server : 0,
    giaddr: asked.giaddr,
    chaddr: asked.chaddr,
    sname: hasBoot ? formatIpv4(server) : '',
    file: file.length <= fileBytesMax ? file : '',
    options,
  }
  return { kind: 'send', packet: fitted(packet), port, via: server, to: destination(arrival, type) }
}

function addBoot(
  options: Map<number, Buffer>,
  { message }: Arrival,
  boot: Exclude<BootChoice, { kind: 'refused' }>,
  { server, isFull }: ReplyParts,
): string {
  const file = boot.kind === 'tftp' ? boot.file : boot.url
  options.set(
    optionCodes.vendorClass,
    Buffer.from(boot.kind === 'http' ? 'HTTPClient' : 'PXEClient', 'latin1'),
  )
  // Without it a PC BIOS looks for boot servers. With it EDK2 before April 2017 drops a proxy's offer.
  if (message.bootClass === 'PXEClient' && isBios(message.archCodes)) {
    options.set(optionCodes.vendorSpecific, loadFileAtOnce)
  }
  if (message.isIpxe && isFull) options.set(optionCodes.ipxe, noProxyWait)
  if (boot.kind === 'tftp') options.set(optionCodes.tftpServer, zeroEnded(formatIpv4(server)))
  return file
}

/**
 * Some firmware reads options 66 and 67 up to a zero byte, whatever their length says, and asks for a file with the next
 * option's code in its name; dnsmasq ends them so too. Option 60 has none there: firmware compares the whole of it.
 */
function zeroEnded(text: string): Buffer {
  const ended = text.length < optionBytesMax ? `${text}\0` : text
  return Buffer.from(ended, 'latin1')
}

function isBios(archCodes: readonly number[]): boolean {
  return archCodes[0] === 0
}

/** The options of a network, without the address itself. */
export function networkOptions(pool: DhcpPool): [number, Buffer][] {
  const { subnet, router, dns, domain } = pool
  return [
    [optionCodes.subnetMask, addressBytes(subnet.mask)],
    ...(router === 0 ? [] : [[optionCodes.router, addressBytes(router)] as [number, Buffer]]),
    ...(dns.length === 0
      ? []
      : [[optionCodes.dns, Buffer.concat(dns.map(addressBytes))] as [number, Buffer]]),
    ...(domain === '' ? [] : [[optionCodes.domain, Buffer.from(domain, 'latin1')] as [number, Buffer]]),
    [optionCodes.broadcast, addressBytes(broadcastOf(subnet))],
  ]
}

/** How long the lease lasts, and when the client renews it: after half of the time, then after seven eighths. */
export function leaseOptions(leaseS: number): [number, Buffer][] {
  return [
    [optionCodes.leaseTime, secondsBytes(leaseS)],
    [optionCodes.renewalTime, secondsBytes(Math.floor(leaseS / 2))],
    [optionCodes.rebindingTime, secondsBytes(Math.floor((leaseS * 7) / 8))],
  ]
}

/** Text of a NAK (option 56). */
export function reasonOption(text: string): [number, Buffer] {
  return [optionCodes.message, Buffer.from(text, 'latin1').subarray(0, 255)]
}

/** RFC 2131 4.1, except that a client without an address is never sent a unicast: that would need its ARP entry. */
function destination({ message, port, from }: Arrival, type: MessageType): { address: number; port: number } {
  const { giaddr, ciaddr, isBroadcast } = message.packet
  if (port === 'boot') {
    return from.address === 0 ? { address: everybody, port: clientPort } : from
  }
  if (giaddr !== 0) return { address: giaddr, port: serverPort }
  const isUnicast = type !== 'nak' && ciaddr !== 0 && !isBroadcast
  return { address: isUnicast ? ciaddr : everybody, port: clientPort }
}

/** Options 66 and 67 only repeat siaddr and `file`: they go when a relay's option 82 leaves them no room. */
function fitted(packet: DhcpPacket): DhcpPacket {
  if (packet.file === '' || encodedBytes(packet) <= DHCP_REPLY_BYTES_MAX) return packet
  const options = new Map(packet.options)
  options.delete(optionCodes.tftpServer)
  options.delete(optionCodes.bootFile)
  return { ...packet, options }
}

function addressBytes(address: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(address)
  return bytes
}

const secondsBytes = addressBytes
