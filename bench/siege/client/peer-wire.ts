/** BitTorrent messages (BEP 3, 6, 9, 10) as attackers send them. */
import { randomBytes } from 'node:crypto'
import { decodeBencode, encodeBencode } from '../../../src/bencode.js'
import { choosePieceLength, pieceCount } from '../../../src/metainfo.js'
import { target } from './attacker.js'

const infohash = Buffer.from(target.infohash, 'hex')
export const pieceBytes = choosePieceLength(target.payloadBytes)
export const pieces = pieceCount(target.payloadBytes, pieceBytes)
export const blockBytes = 16_384

/** Numbers of messages. */
export const ids = {
  ...{ unchoke: 1, interested: 2, notInterested: 3, have: 4, bitfield: 5, request: 6, piece: 7, cancel: 8 },
  ...{ suggest: 13, haveAll: 14, extended: 20 },
} as const

/** Fast extension (BEP 6) and extension protocol (BEP 10). */
const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0x04])

/** A handshake under a new name; `-BW` names are agents'. */
export function handshake(prefix = '-BW0001-'): Buffer {
  const name = Buffer.concat([Buffer.from(prefix), randomBytes(20 - prefix.length)])
  return Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), reserved, infohash, name])
}

/** One message. */
export function message(id: number, ...payload: Buffer[]): Buffer {
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

/** A claim of every piece. */
export function everything(): Buffer {
  const bits = Buffer.alloc(Math.ceil(pieces / 8))
  for (let piece = 0; piece < pieces; piece += 1)
    bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
  return message(ids.bitfield, bits)
}

/** The handshake of BEP 10 as an agent sends it. */
export function extensions(): Buffer {
  const text = { bs: 1, m: { ut_metadata: 2, ut_pex: 1 }, v: 'bootswarm/0.1.0' }
  return message(ids.extended, Buffer.from([0]), Buffer.from(encodeBencode(text)))
}

/** A request for a part of the hashes (BEP 9), to a peer whose number for that is `id`. */
export function metadataRequest(id: number, part: number): Buffer {
  return message(ids.extended, Buffer.from([id]), Buffer.from(encodeBencode({ msg_type: 0, piece: part })))
}

/** The number that a peer's handshake of BEP 10 gives to PEX; undefined for any other message. */
export function pexIdOf(body: Buffer): number | undefined {
  if (body[0] !== ids.extended || body[1] !== 0) return undefined
  const text = decodeBencode(body.subarray(2))
  const names = text instanceof Map ? text.get('m') : undefined
  const id = names instanceof Map ? names.get('ut_pex') : undefined
  return typeof id === 'number' ? id : undefined
}

/** So many peers that are not there (BEP 11), at addresses of the network that nobody has. */
export function inventedPeers(id: number, count: number): Buffer {
  const added = randomBytes(6 * count)
  for (let peer = 0; peer < count; peer += 1) added.set([10, 77, 210], 6 * peer)
  const text = encodeBencode({ added, 'added.f': Buffer.alloc(count) })
  return message(ids.extended, Buffer.from([id]), Buffer.from(text))
}

/** Calls back with each message of a peer, and first with nothing for its handshake. */
export function readMessages(onMessage: (body: Buffer | undefined) => void): (chunk: Buffer) => void {
  let data = Buffer.alloc(0)
  let shaken = false
  return (chunk) => {
    data = Buffer.concat([data, chunk])
    if (!shaken && data.length >= 68) {
      shaken = true
      data = data.subarray(68)
      onMessage(undefined)
    }
    while (shaken && data.length >= 4 && data.length >= 4 + data.readUInt32BE(0)) {
      const body = data.subarray(4, 4 + data.readUInt32BE(0))
      data = data.subarray(4 + body.length)
      onMessage(body)
    }
  }
}
