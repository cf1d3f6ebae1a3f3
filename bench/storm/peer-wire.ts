/** BitTorrent messages (BEP 3, 6, 10) as the benches' own peers send and read them. */
import { randomBytes } from 'node:crypto'

/** Numbers of messages. */
export const ids = {
  ...{ unchoke: 1, interested: 2, notInterested: 3, have: 4, bitfield: 5, request: 6, piece: 7, cancel: 8 },
  ...{ suggest: 13, extended: 20 },
} as const

/** An agent asks for 16 KiB at a time; longer requests are invalid. */
export const blockBytes = 16_384
const requestBytesMax = 131_072
/** What speaks neither BEP 6 nor BEP 10. */
const plain = Buffer.alloc(8)
const handshakeBytes = 68

/** A name that has just been made up; `-BW` names are agents'. */
export function inventedPeer(prefix = '-BW0001-'): Buffer {
  return Buffer.concat([Buffer.from(prefix), randomBytes(20 - prefix.length)])
}

/** The first bytes of a peer. */
export function handshakeOf(infohash: Buffer, peerId: Buffer, reserved: Buffer = plain): Buffer {
  return Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), reserved, infohash, peerId])
}

/** One message. */
export function message(id: number, ...payload: Uint8Array[]): Buffer {
  const bytes = payload.reduce((sum, { length }) => sum + length, 0)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + bytes)
  head[4] = id
  return Buffer.concat([head, ...payload])
}

/** Numbers of four bytes. */
export function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}

/** A claim of so many pieces. */
export function claimOf(pieces: number): Buffer {
  const bits = Buffer.alloc(Math.ceil(pieces / 8))
  for (let piece = 0; piece < pieces; piece += 1) {
    bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
  }
  return message(ids.bitfield, bits)
}

/** Splits what a peer sends: calls back for its handshake, without anything, and then with each message. */
export function readMessages(onMessage: (body: Buffer | undefined) => void): (chunk: Buffer) => void {
  let data = Buffer.alloc(0)
  let shaken = false
  return (chunk) => {
    data = Buffer.concat([data, chunk])
    if (!shaken && data.length >= handshakeBytes) {
      shaken = true
      data = data.subarray(handshakeBytes)
      onMessage(undefined)
    }
    while (shaken && data.length >= 4 && data.length >= 4 + data.readUInt32BE(0)) {
      const body = data.subarray(4, 4 + data.readUInt32BE(0))
      data = data.subarray(4 + body.length)
      onMessage(body)
    }
  }
}

/** Bytes that a message asks for; 0 for one that is no valid request. */
export function requestedBytes(body: Buffer): number {
  const length = body[0] === ids.request && body.length === 13 ? body.readUInt32BE(9) : 0
  return length <= requestBytesMax ? length : 0
}
