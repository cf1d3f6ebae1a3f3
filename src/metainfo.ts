/**
 * The torrent of an artifact: piece length, info dictionary and infohash as docs/manifest.md specifies them.
 * Reads no files; the caller passes the pieces' SHA-1.
 */

import { createHash } from 'node:crypto'
import { encodeBencode } from './bencode.js'
import { PIECE_LENGTH_MAX_BYTES, PIECE_LENGTH_MIN_BYTES } from './limits.js'

/** What the info dictionary holds. */
export interface MetainfoInput {
  readonly name: string
  readonly sizeBytes: number
  readonly pieceLengthBytes: number
  /** The concatenated SHA-1 of the pieces, 20 bytes each. */
  readonly pieces: Uint8Array
}

const KIB = 1024
const MIB = 1024 * KIB

/**
 * The piece length for the swarm, bytes: a power of two. A node can only pass on whole pieces, so a file needs many
 * (a chain of nodes fills while it is short); each costs a HAVE to every neighbour, so not too many. Up to 1 MiB:
 * 16 KiB; up to 32 MiB: 64 KiB; then 128 KiB (130 MB in about 1,000) until 4,096 pieces, from where on the length
 * doubles, up to 4 MiB.
 */
export function choosePieceLength(sizeBytes: number): number {
  if (sizeBytes <= MIB) return PIECE_LENGTH_MIN_BYTES
  if (sizeBytes <= 32 * MIB) return 64 * KIB
  let length = 128 * KIB
  while (length < PIECE_LENGTH_MAX_BYTES && sizeBytes / length > 4096) length *= 2
  return length
}

/** How many pieces a file has. */
export function pieceCount(sizeBytes: number, pieceLengthBytes: number): number {
  return Math.ceil(sizeBytes / pieceLengthBytes)
}

/** The bencoded info dictionary (BEP 3): `length`, `name`, `piece length`, `pieces` and nothing else. */
export function encodeInfo(input: MetainfoInput): Uint8Array {
  return encodeBencode({
    length: input.sizeBytes,
    name: input.name,
    'piece length': input.pieceLengthBytes,
    pieces: input.pieces,
  })
}

/** The infohash: SHA-1 of the info dictionary, 40 lower-case hex digits. */
export function infohash(input: MetainfoInput): string {
  return createHash('sha1').update(encodeInfo(input)).digest('hex')
}
