/**
 * What a peer says of itself in a handshake of BEP 10, as far as a seeder heeds it. The library's own parser of bencode is not
 * used: it takes a length below zero (`l-3:`) for a step back, and never ends. Pure.
 */

import { type BencodeValue, decodeBencode } from '../../src/bencode.js'

/** Clients name some ten extensions and ten facts of themselves, in 300 bytes; nothing of it lies deeper than `m`. */
const bounds = { bytesMax: 4_096, depthMax: 3, valuesMax: 128, anyOrder: true }

/** A handshake; all else in it means nothing to us. */
export interface ExtendedHandshake {
  /** `bs` is 1: it follows docs/protocol.md. */
  readonly bootswarm: boolean
  /** Where it wants messages of `ut_metadata` (BEP 9), 1-255; 0: nowhere any more; undefined: not said. */
  readonly metadataId: number | undefined
}

/** Undefined for what is no dictionary, or none that a client sends. */
export function parseExtendedHandshake(bytes: Uint8Array): ExtendedHandshake | undefined {
  let said: BencodeValue
  try {
    said = decodeBencode(bytes, bounds)
  } catch {
    return undefined
  }
  if (!(said instanceof Map)) return undefined
  const extensions = said.get('m')
  const id = extensions instanceof Map ? extensions.get('ut_metadata') : undefined
  const isId = typeof id === 'number' && id >= 0 && id <= 255
  return { bootswarm: said.get('bs') === 1, metadataId: isId ? id : undefined }
}
