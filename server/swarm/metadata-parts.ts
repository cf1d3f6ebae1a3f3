/** Answers `ut_metadata` (BEP 9): parts of a torrent's info dictionary, from one copy for all peers. Pure. */

import { type BencodeValue, decodeBencode, encodeBencode } from '../../src/bencode.js'

/** BEP 9. */
const partBytes = 16_384
const messageType = { request: 0, data: 1, reject: 2 }
/** A request has two integers; some clients add one of their own. */
const requestBounds = { bytesMax: 256, depthMax: 2, valuesMax: 16 }

/** The info dictionary of one torrent. */
export class MetadataParts {
  readonly #info: Uint8Array

  /** @param torrent a whole `.torrent` file in canonical bencode. @throws Error if it has no info dictionary */
  constructor(torrent: Uint8Array) {
    const file = decodeBencode(torrent)
    const info = file instanceof Map ? file.get('info') : undefined
    if (!(info instanceof Map)) throw new Error('the torrent has no info dictionary')
    this.#info = encodeBencode(info)
  }

  get sizeBytes(): number {
    return this.#info.length
  }

  get count(): number {
    return Math.ceil(this.#info.length / partBytes)
  }

  /** What is to be sent for a message of this extension; undefined for those that are no requests. */
  answer(message: Uint8Array): Uint8Array | undefined {
    const request = decode(message)
    if (!(request instanceof Map) || request.get('msg_type') !== messageType.request) return undefined
    const piece = request.get('piece')
    if (typeof piece !== 'number') return undefined
    if (piece < 0 || piece >= this.count) return encodeBencode({ msg_type: messageType.reject, piece })
    const head = encodeBencode({ msg_type: messageType.data, piece, total_size: this.sizeBytes })
    return Buffer.concat([head, this.#info.subarray(piece * partBytes, (piece + 1) * partBytes)])
  }
}

function decode(message: Uint8Array): BencodeValue | undefined {
  try {
    return decodeBencode(message, requestBounds)
  } catch {
    return undefined
  }
}
