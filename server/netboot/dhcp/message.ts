/** What a client says in a DHCP message, as valid values. Reads the options that netboot needs; others are left alone. */

import type { RelayPort } from '../../../src/dhcp-lease.js'
import { type DhcpPacket, type Malformed, parsePacket, parseSubOptions } from './packet.js'

/** Types of messages (RFC 2132 9.6). */
export const messageTypes = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const
/** The name of a type. */
export type MessageType = keyof typeof messageTypes

const typeNames = new Map(
  Object.entries(messageTypes).map(([name, code]) => [code as number, name as MessageType]),
)

/** Codes of the options that are read or written. */
export const optionCodes = {
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostname: 12,
  domain: 15,
  broadcast: 28,
  vendorSpecific: 43,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  messageSizeMax: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientId: 61,
  tftpServer: 66,
  bootFile: 67,
  userClass: 77,
  relayInfo: 82,
  architecture: 93,
  networkInterface: 94,
  machineId: 97,
  subnetSelection: 118,
  ipxe: 175,
} as const

/** Codes inside option 82: RFC 3046, RFC 3527, RFC 5107. */
const relaySubOptions = { circuitId: 1, remoteId: 2, linkSelection: 5, serverOverride: 11 } as const

/** What a relay says of the link where it heard a client. */
export interface RelayedLink {
  /** An address of the link's subnet: it tells the pool. */
  readonly address: number
  /** Which field said so, for people. */
  readonly source: 'link selection' | 'subnet selection' | 'relay address'
  /** What the client shall take for its server, so that its renewals pass the relay too (RFC 5107). */
  readonly serverOverride: number | undefined
}

/** A request of a client. */
export interface DhcpMessage {
  readonly packet: DhcpPacket
  readonly type: MessageType
  /** `aa:bb:cc:dd:ee:ff`: what a lease is keyed on, whatever option 61 says (ROM, iPXE and Linux differ there). */
  readonly mac: string
  readonly requestedAddress: number | undefined
  readonly serverId: number | undefined
  /** Option 60. */
  readonly vendorClass: string
  /** What option 60 begins with, if it asks for network boot. */
  readonly bootClass: 'PXEClient' | 'HTTPClient' | undefined
  readonly archCodes: readonly number[]
  readonly isIpxe: boolean
  readonly ipxeFeatures: ReadonlySet<number> | undefined
  /** Option 97 as it came, 17 bytes. */
  readonly machineId: Buffer | undefined
  readonly relayInfo: Buffer | undefined
  readonly relayPort: RelayPort | undefined
  /** Undefined where no relay passed it on. */
  readonly link: RelayedLink | undefined
}

/** Something that is no request of a client: a value, not an error. */
export type Unread = Malformed | { readonly ignored: 'reply' | 'not_ethernet' }

const ethernet = 1

/** Reads a request. */
export function readMessage(bytes: Uint8Array): DhcpMessage | Unread {
  const packet = parsePacket(bytes)
  if ('malformed' in packet) return packet
  if (packet.op !== 1) return { ignored: 'reply' }
  const { options, chaddr } = packet
  const type = typeNames.get(byteOf(options.get(optionCodes.messageType)) ?? 0)
  if (type === undefined) return { malformed: 'no message type (option 53)' }
  if (type === 'offer' || type === 'ack' || type === 'nak') return { malformed: `${type} in a request` }
  if (packet.htype !== ethernet || chaddr.length !== 6) return { ignored: 'not_ethernet' }
  // A multicast or all-zero address identifies no machine.
  if (((chaddr[0] ?? 1) & 1) === 1 || chaddr.every((byte) => byte === 0)) {
    return { malformed: 'an Ethernet address that no machine has' }
  }
  if (packet.giaddr !== 0 && !isHost(packet.giaddr))
    return { malformed: 'a relay’s address that no relay has' }
  const vendorClass = options.get(optionCodes.vendorClass)?.toString('latin1') ?? ''
  const machineId = options.get(optionCodes.machineId)
  const relayInfo = options.get(optionCodes.relayInfo)
  const relayed = relayInfo === undefined ? undefined : parseSubOptions(relayInfo)
  return {
    packet,
    type,
    mac: chaddr.toString('hex').replace(/(..)(?=.)/g, '$1:'),
    requestedAddress: addressOf(options.get(optionCodes.requestedAddress)),
    serverId: addressOf(options.get(optionCodes.serverId)),
    vendorClass,
    bootClass: bootClassOf(vendorClass),
    archCodes: archCodesOf(options.get(optionCodes.architecture)),
    isIpxe: userClasses(options.get(optionCodes.userClass)).includes('iPXE'),
    ipxeFeatures: featuresOf(options.get(optionCodes.ipxe)),
    machineId: machineId?.length === 17 && machineId[0] === 0 ? machineId : undefined,
    relayInfo,
    relayPort: relayed === undefined ? undefined : relayPortOf(relayed),
    link: linkOf(packet, relayed),
  }
}

/** Neither of this machine's loopback (127/8) nor of many: multicast, reserved, everybody. */
function isHost(address: number): boolean {
  const first = address >>> 24
  return first !== 0 && first !== 127 && first < 224
}

function bootClassOf(vendorClass: string): DhcpMessage['bootClass'] {
  if (vendorClass.startsWith('PXEClient')) return 'PXEClient'
  return vendorClass.startsWith('HTTPClient') ? 'HTTPClient' : undefined
}

/** Option 93 may hold several 16-bit codes (RFC 4578 2.1); an odd byte at the end is left alone. */
function archCodesOf(value: Buffer | undefined): number[] {
  const codes: number[] = []
  for (let at = 0; value !== undefined && at + 2 <= value.length; at += 2) codes.push(value.readUInt16BE(at))
  return codes
}

/** Option 77 as RFC 3004 has it (lengths and texts), or as iPXE and old clients send it: one bare text. */
function userClasses(value: Buffer | undefined): string[] {
  if (value === undefined) return []
  const classes = [value.toString('latin1')]
  for (let at = 0; at < value.length; ) {
    const length = value.readUInt8(at++)
    if (length === 0 || at + length > value.length) break
    classes.push(value.toString('latin1', at, at + length))
    at += length
  }
  return classes
}

/** iPXE's feature codes: sub-options of one byte in option 175, 1 where the feature is there. */
function featuresOf(value: Buffer | undefined): ReadonlySet<number> | undefined {
  const subOptions = value === undefined ? undefined : parseSubOptions(value)
  if (subOptions === undefined) return undefined
  const present = [...subOptions].filter(
    ([code, flag]) => code >= 0x10 && code <= 0x4f && flag.length === 1 && flag[0] !== 0,
  )
  return new Set(present.map(([code]) => code))
}

function relayPortOf(subOptions: ReadonlyMap<number, Buffer>): RelayPort {
  return {
    circuitId: subOptions.get(relaySubOptions.circuitId)?.toString('hex') ?? '',
    remoteId: subOptions.get(relaySubOptions.remoteId)?.toString('hex') ?? '',
  }
}

/**
 * Link selection (RFC 3527), else subnet selection (RFC 3011), else the relay's address (RFC 2131 4.3.1). Without a
 * relay the interface alone tells: a client has no say in whose addresses it gets.
 */
function linkOf(
  { giaddr, options }: DhcpPacket,
  relayed: ReadonlyMap<number, Buffer> | undefined,
): RelayedLink | undefined {
  if (giaddr === 0) return undefined
  const serverOverride = addressOf(relayed?.get(relaySubOptions.serverOverride)) || undefined
  const selected = addressOf(relayed?.get(relaySubOptions.linkSelection))
  if (selected) return { address: selected, source: 'link selection', serverOverride }
  const subnet = addressOf(options.get(optionCodes.subnetSelection))
  if (subnet) return { address: subnet, source: 'subnet selection', serverOverride }
  return { address: giaddr, source: 'relay address', serverOverride }
}

function byteOf(value: Buffer | undefined): number | undefined {
  return value?.length === 1 ? value[0] : undefined
}

function addressOf(value: Buffer | undefined): number | undefined {
  return value?.length === 4 ? value.readUInt32BE(0) : undefined
}

/** Circuit and remote identity as people write them: as text where all of it is printable, else `0x` and hex digits. */
export function relayIds({ circuitId, remoteId }: RelayPort): string[] {
  return [circuitId, remoteId].flatMap((hex) => {
    const text = Buffer.from(hex, 'hex').toString('latin1')
    if (text === '') return []
    return [/^[\x21-\x7e]+$/.test(text) ? text : `0x${hex}`]
  })
}
