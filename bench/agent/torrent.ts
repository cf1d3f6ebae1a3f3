/** A torrent of one file for the bench, made here so that no contestant's own maker is trusted. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

/** The SHA-1 of each piece, concatenated. */
export function sha1Pieces(file: string, pieceLength: number): Buffer {
  const descriptor = openSync(file, 'r')
  const piece = Buffer.alloc(pieceLength)
  const hashes: Buffer[] = []
  for (;;) {
    const length = readSync(descriptor, piece, 0, pieceLength, null)
    if (length === 0) break
    hashes.push(createHash('sha1').update(piece.subarray(0, length)).digest())
  }
  closeSync(descriptor)
  return Buffer.concat(hashes)
}

/** BEP 3 metainfo with the info dictionary of docs/manifest.md. */
export function torrentFile(
  name: string,
  sizeBytes: number,
  pieceLength: number,
  pieces: Buffer,
): { bytes: Buffer; infohash: string } {
  const info = Buffer.concat([
    Buffer.from(
      `d6:lengthi${sizeBytes}e4:name${Buffer.byteLength(name)}:${name}12:piece lengthi${pieceLength}e`,
    ),
    Buffer.from(`6:pieces${pieces.length}:`),
    pieces,
    Buffer.from('e'),
  ])
  const infohash = createHash('sha1').update(info).digest('hex')
  return { bytes: Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]), infohash }
}
