/** What attackers say in the swarm of their target. */
import { randomBytes } from 'node:crypto'
import { decodeBencode, encodeBencode } from '../../../src/bencode.js'
import { choosePieceLength, pieceCount } from '../../../src/metainfo.js'
import { claimOf, handshakeOf, ids, inventedPeer, message } from '../../storm/peer-wire.js'
import { target } from './attacker.js'

export const infohash = Buffer.from(target.infohash, 'hex')
export const pieceBytes = choosePieceLength(target.payloadBytes)
export const pieces = pieceCount(target.payloadBytes, pieceBytes)

/** Fast extension (BEP 6) and extension protocol (BEP 10). */
const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0x04])

/** A handshake under a new name. */
export function handshake(prefix?: string): Buffer {
  return handshakeOf(infohash, inventedPeer(prefix), reserved)
}

/** A claim of every piece. */
export function everything(): Buffer {
  return claimOf(pieces)
}

/** The handshake of BEP 10 as an agent sends it. */
export function extensions(): Buffer {
  const text = { bs: 1, m: { ut_metadata: 2, ut_pex: 1 }, v: 'bootswarm/0.1.0' }
  return message(ids.extended, Buffer.from([0]), encodeBencode(text))
}

/** A request for a part of the hashes (BEP 9), to a peer whose number for that is `id`. */
export function metadataRequest(id: number, part: number): Buffer {
  return message(ids.extended, Buffer.from([id]), encodeBencode({ msg_type: 0, piece: part }))
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
  return message(ids.extended, Buffer.from([id]), encodeBencode({ added, 'added.f': Buffer.alloc(count) }))
}
