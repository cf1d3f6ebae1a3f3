/**
 * The torrent of a stored file: a function of its bytes and its name alone, on every machine the same.
 */
import createTorrent from 'create-torrent'
import { decodeBencode, encodeBencode } from '../../src/bencode.js'
import { BootswarmError } from '../../src/errors.js'
import { choosePieceLength, encodeInfo, infohash } from '../../src/metainfo.js'

/** The torrent of an artifact, without the `.torrent` file itself. */
export interface TorrentFacts {
  /** 40 lower-case hex digits. */
  readonly infohash: string
  readonly pieceLengthBytes: number
  /** Base64 of the concatenated SHA-1 of the pieces. */
  readonly piecesBase64: string
}

/**
 * `creation date` is one second after 1970: create-torrent takes 0 for "now". It is outside the info
 * dictionary, but the whole `.torrent` shall be the same everywhere too.
 */
const creationDate = new Date(1000)

/**
 * Hashes the file at `path` into a torrent of one file called `name`.
 *
 * @throws BootswarmError INTERNAL if create-torrent makes something else than docs/manifest.md demands
 */
export async function makeTorrent(
  path: string,
  name: string,
  sizeBytes: number,
  onProgress: (doneBytes: number) => void = () => {},
): Promise<TorrentFacts> {
  const pieceLengthBytes = choosePieceLength(sizeBytes)
  const options = { name, pieceLength: pieceLengthBytes, announceList: [], creationDate, onProgress }
  const torrent = await new Promise<Uint8Array>((resolve, reject) => {
    createTorrent(path, options, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
  const pieces = piecesOf(torrent)
  const info = { name, sizeBytes, pieceLengthBytes, pieces }
  // The reader builds its info dictionary from the manifest: it must be this one to the byte.
  const expected = Buffer.concat([Buffer.from('4:info'), encodeInfo(info)])
  if (!Buffer.from(torrent).includes(expected)) {
    throw new BootswarmError(
      'INTERNAL',
      `the torrent of ${name} does not have the info dictionary of docs/manifest.md`,
    )
  }
  return { infohash: infohash(info), pieceLengthBytes, piecesBase64: Buffer.from(pieces).toString('base64') }
}

/**
 * The `.torrent` file of an artifact, made again from what the database remembers; the same bytes as
 * create-torrent's. With a tracker for stock clients: agents get theirs from the manifest.
 */
export function torrentFile(
  name: string,
  sizeBytes: number,
  facts: TorrentFacts,
  announceUrl?: string,
): Uint8Array {
  return encodeBencode({
    ...(announceUrl === undefined ? {} : { announce: announceUrl }),
    'creation date': creationDate.getTime() / 1000,
    encoding: 'UTF-8',
    info: {
      length: sizeBytes,
      name,
      'piece length': facts.pieceLengthBytes,
      pieces: Buffer.from(facts.piecesBase64, 'base64'),
    },
  })
}

function piecesOf(torrent: Uint8Array): Uint8Array {
  const root = decodeBencode(torrent)
  const info = root instanceof Map ? root.get('info') : undefined
  const pieces = info instanceof Map ? info.get('pieces') : undefined
  if (!(pieces instanceof Uint8Array)) throw new BootswarmError('INTERNAL', 'create-torrent made no pieces')
  return pieces
}
