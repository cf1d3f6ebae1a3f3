/** A file of random bytes and its torrent, for benches and interoperation tests. */
import { createHash, randomFillSync } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { encodeInfo, infohash } from '../../src/metainfo.js'

/** One torrent of one file, and where the file lies. */
export interface Payload {
  readonly torrentFile: string
  readonly directory: string
  readonly name: string
  readonly infohash: string
  readonly sha256: string
  readonly sizeBytes: number
  readonly pieceLength: number
}

/** Makes `directory`/payload.bin and `directory`/payload.torrent. */
export function makePayload(directory: string, sizeBytes: number, pieceLengthBytes = 262_144): Payload {
  mkdirSync(directory, { recursive: true })
  const name = 'payload.bin'
  const file = openSync(join(directory, name), 'w')
  const sha256 = createHash('sha256')
  const hashes: Buffer[] = []
  const buffer = Buffer.alloc(pieceLengthBytes)
  for (let left = sizeBytes; left > 0; left -= pieceLengthBytes) {
    const piece = randomFillSync(buffer).subarray(0, Math.min(left, pieceLengthBytes))
    writeSync(file, piece)
    sha256.update(piece)
    hashes.push(createHash('sha1').update(piece).digest())
  }
  closeSync(file)
  const input = { name, sizeBytes, pieceLengthBytes, pieces: Buffer.concat(hashes) }
  const torrentFile = join(directory, 'payload.torrent')
  writeFileSync(torrentFile, Buffer.concat([Buffer.from('d4:info'), encodeInfo(input), Buffer.from('e')]))
  return {
    torrentFile,
    directory,
    name,
    infohash: infohash(input),
    sha256: sha256.digest('hex'),
    sizeBytes,
    pieceLength: pieceLengthBytes,
  }
}
