/** DHCP messages (RFC 2131, 2132) from bytes and to bytes. Knows the frame and no option's meaning. */

import { DHCP_MESSAGE_BYTES_MAX } from '../../../src/limits.js'

/** One message. Addresses as numbers, 0.0.0.0 is 0. */
export interface DhcpPacket {
  /** 1 from a client, 2 from a server. */
  readonly op: 1 | 2
  readonly htype: number
  readonly hops: number
  readonly xid: number
  readonly secs: number
  /** The client cannot take a unicast before it has its address. */
  readonly isBroadcast: boolean
  readonly ciaddr: number
  readonly yiaddr: number
  readonly siaddr: number
  readonly giaddr: number
  /** Hardware address, `hlen` bytes. */
  readonly chaddr: Buffer
  readonly sname: string
  readonly file: string
  /** Values by code; repeated ones joined (RFC 3396), overloaded fields read (option 52). */
  readonly options: ReadonlyMap<number, Buffer>
}

/** What is wrong with bytes that are no DHCP message. */
export interface Malformed {
  readonly malformed: string
}

/** Offsets of the fixed part. */
const chaddrAt = 28
const snameAt = 44
const fileAt = 108
const magicAt = 236
const optionsAt = 240
const magic = 0x63825363
/** Some clients and relays drop shorter ones (BOOTP, RFC 951). */
const bytesMin = 300

const broadcastFlag = 0x8000
const pad = 0
const end = 255
const overload = 52

/** Reads a message; bounded by its own length, never throws. */
export function parsePacket(bytes: Uint8Array): DhcpPacket | Malformed {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < optionsAt) return { malformed: 'shorter than its fixed part' }
  if (buffer.length > DHCP_MESSAGE_BYTES_MAX) return { malformed: 'longer than an Ethernet frame' }
  const op = buffer.readUInt8(0)
  if (op !== 1 && op !== 2) return { malformed: 'neither request nor reply' }
  if (buffer.readUInt32BE(magicAt) !== magic) return { malformed: 'BOOTP without DHCP’s magic number' }
  const hlen = buffer.readUInt8(2)
  if (hlen > 16) return { malformed: 'a hardware address of more than 16 bytes' }
  const parts = new Map<number, Buffer[]>()
  const wrong = readOptions(buffer.subarray(optionsAt), parts)
  if (wrong !== undefined) return { malformed: wrong }
  // RFC 2131 4.1: first the options field, then file, then sname.
  const where = parts.get(overload)?.[0]?.[0] ?? 0
  const sname = buffer.subarray(snameAt, fileAt)
  const file = buffer.subarray(fileAt, magicAt)
  const overloaded =
    ((where & 1) !== 0 ? readOptions(file, parts) : undefined) ??
    ((where & 2) !== 0 ? readOptions(sname, parts) : undefined)
  if (overloaded !== undefined) return { malformed: overloaded }
  return {
    op,
    htype: buffer.readUInt8(1),
    hops: buffer.readUInt8(3),
    xid: buffer.readUInt32BE(4),
    secs: buffer.readUInt16BE(8),
    isBroadcast: (buffer.readUInt16BE(10) & broadcastFlag) !== 0,
    ciaddr: buffer.readUInt32BE(12),
    yiaddr: buffer.readUInt32BE(16),
    siaddr: buffer.readUInt32BE(20),
    giaddr: buffer.readUInt32BE(24),
    chaddr: Buffer.from(buffer.subarray(chaddrAt, chaddrAt + hlen)),
    sname: (where & 2) !== 0 ? '' : textOf(sname),
    file: (where & 1) !== 0 ? '' : textOf(file),
    options: new Map([...parts].map(([code, values]) => [code, Buffer.concat(values)])),
  }
}

/** Collects options; a field without an end mark ends with itself, as old clients send it. */
function readOptions(field: Buffer, into: Map<number, Buffer[]>): string | undefined {
  for (let at = 0; at < field.length; ) {
    const code = field.readUInt8(at++)
    if (code === pad) continue
    if (code === end) return undefined
    const length = at < field.length ? field.readUInt8(at++) : Number.POSITIVE_INFINITY
    if (at + length > field.length) return `option ${code} goes beyond its field`
    const values = into.get(code)
    const value = field.subarray(at, at + length)
    if (values === undefined) into.set(code, [value])
    else values.push(value)
    at += length
  }
  return undefined
}

/** Sub-options of a value that holds some (43, 82, 175), the first of each; undefined if they go beyond it. */
export function parseSubOptions(value: Buffer, endsWith?: number): Map<number, Buffer> | undefined {
  const found = new Map<number, Buffer>()
  for (let at = 0; at < value.length; ) {
    const code = value.readUInt8(at++)
    if (code === endsWith) break
    if (at >= value.length) return undefined
    const length = value.readUInt8(at++)
    if (at + length > value.length) return undefined
    if (!found.has(code)) found.set(code, value.subarray(at, at + length))
    at += length
  }
  return found
}

/** How many bytes {@link encodePacket} writes. */
export function encodedBytes({ options }: Pick<DhcpPacket, 'options'>): number {
  let bytes = optionsAt + 1
  for (const { length } of options.values()) bytes += length + 2 * Math.max(1, Math.ceil(length / 255))
  return Math.max(bytes, bytesMin)
}

/**
 * Writes a message. Options in their map's order, those of more than 255 bytes split (RFC 3396). `file` and `sname`
 * must fit their fields with a zero byte: 127 and 63 bytes.
 */
export function encodePacket(packet: DhcpPacket): Buffer {
  const bytes = Buffer.alloc(encodedBytes(packet))
  bytes.writeUInt8(packet.op, 0)
  bytes.writeUInt8(packet.htype, 1)
  bytes.writeUInt8(packet.chaddr.length, 2)
  bytes.writeUInt8(packet.hops, 3)
  bytes.writeUInt32BE(packet.xid, 4)
  bytes.writeUInt16BE(packet.secs, 8)
  bytes.writeUInt16BE(packet.isBroadcast ? broadcastFlag : 0, 10)
  bytes.writeUInt32BE(packet.ciaddr, 12)
  bytes.writeUInt32BE(packet.yiaddr, 16)
  bytes.writeUInt32BE(packet.siaddr, 20)
  bytes.writeUInt32BE(packet.giaddr, 24)
  packet.chaddr.copy(bytes, chaddrAt, 0, 16)
  writeText(bytes, packet.sname, snameAt, fileAt)
  writeText(bytes, packet.file, fileAt, magicAt)
  bytes.writeUInt32BE(magic, magicAt)
  let to = optionsAt
  for (const [code, value] of packet.options) {
    for (let from = 0; from === 0 || from < value.length; from += 255) {
      const length = Math.min(255, value.length - from)
      bytes[to++] = code
      bytes[to++] = length
      to += value.copy(bytes, to, from, from + length)
    }
  }
  bytes[to] = end
  return bytes
}

/** The text before the first zero byte. */
function textOf(field: Buffer): string {
  const zero = field.indexOf(0)
  return field.toString('latin1', 0, zero < 0 ? field.length : zero)
}

function writeText(buffer: Buffer, text: string, from: number, to: number): void {
  if (text.length >= to - from) throw new RangeError(`${text} does not fit its field`)
  buffer.write(text, from, 'latin1')
}
