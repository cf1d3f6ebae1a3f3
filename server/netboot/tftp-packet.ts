/**
 * The packets of TFTP (RFC 1350) with options (RFC 2347): bytes to values and back. Only what a read-only server
 * receives is parsed. Hostile bytes give undefined, never an exception.
 */
import { TFTP_NAME_BYTES_MAX, TFTP_OPTIONS_MAX, TFTP_REQUEST_BYTES_MAX } from '../../src/limits.js'

/** Error codes of RFC 1350 and RFC 2347. */
export const tftpErrors = { notFound: 1, accessViolation: 2, full: 3, illegalOperation: 4 } as const

/** A request to read, as far as its form is right. */
export interface TftpRequest {
  readonly kind: 'read'
  /** As sent: not checked for anything but its length. */
  readonly name: string
  /** Lower case. */
  readonly mode: string
  /** Names in lower case; the first of several wins. */
  readonly options: ReadonlyMap<string, string>
}

/** What a client may send. */
export type TftpPacket =
  | TftpRequest
  | { readonly kind: 'write' }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number }

const opcodes = { read: 1, write: 2, data: 3, ack: 4, error: 5, oack: 6 } as const

/** Reads a packet; undefined if it is none that a server gets. */
export function parseTftp(bytes: Buffer): TftpPacket | undefined {
  if (bytes.length < 4) return undefined
  switch (bytes.readUInt16BE(0)) {
    case opcodes.read:
      return parseRequest(bytes)
    case opcodes.write:
      return { kind: 'write' }
    case opcodes.ack:
      return { kind: 'ack', block: bytes.readUInt16BE(2) }
    case opcodes.error:
      return { kind: 'error', code: bytes.readUInt16BE(2) }
    default:
      return undefined
  }
}

function parseRequest(bytes: Buffer): TftpRequest | undefined {
  if (bytes.length > TFTP_REQUEST_BYTES_MAX) return undefined
  const [name, mode, ...rest] = strings(bytes.subarray(2))
  if (name === undefined || mode === undefined) return undefined
  if (name === '' || name.length > TFTP_NAME_BYTES_MAX) return undefined
  const options = new Map<string, string>()
  for (let index = 0; index + 1 < rest.length; index += 2) {
    const option = rest[index]?.toLowerCase() ?? ''
    // Old firmware fills its packets up with zeros.
    if (option === '') break
    if (options.size === TFTP_OPTIONS_MAX) return undefined
    if (!options.has(option)) options.set(option, rest[index + 1] ?? '')
  }
  return { kind: 'read', name, mode: mode.toLowerCase(), options }
}

/** The strings that end with a zero byte; what follows the last zero is left out. */
function strings(bytes: Buffer): string[] {
  const found: string[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start)
    if (end < 0) break
    found.push(bytes.toString('latin1', start, end))
    start = end + 1
  }
  return found
}

/** A block; `number` is cut to 16 bits, so that numbers roll over to 0. */
export function dataPacket(number: number, payload: Uint8Array): Buffer {
  const packet = Buffer.allocUnsafe(4 + payload.length)
  packet.writeUInt16BE(opcodes.data, 0)
  packet.writeUInt16BE(number & 0xffff, 2)
  packet.set(payload, 4)
  return packet
}

/** The acknowledged options (RFC 2347). */
export function oackPacket(options: ReadonlyMap<string, number>): Buffer {
  const text = [...options].map(([name, value]) => `${name}\0${value}\0`).join('')
  return Buffer.concat([Buffer.from([0, opcodes.oack]), Buffer.from(text, 'latin1')])
}

/** An error; `message` is for people, ASCII. */
export function errorPacket(code: number, message: string): Buffer {
  return Buffer.concat([Buffer.from([0, opcodes.error, 0, code]), Buffer.from(`${message}\0`, 'latin1')])
}
