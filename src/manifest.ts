/**
 * The boot manifest of docs/manifest.md: its signed bytes, and reading them back. Its types are
 * manifest-types.ts.
 * Does not decide what a node gets: that is the catalog's.
 */

import { type KeyObject, sign, verify } from 'node:crypto'
import { encodeCanonicalJson, parseCanonicalJson } from './canonical-json.js'
import { BootswarmError } from './errors.js'
import { MANIFEST_BYTES_MAX } from './limits.js'
import { checkLimits, isInline } from './manifest-limits.js'
import { checkShape } from './manifest-shape.js'
import type { Manifest } from './manifest-types.js'
import { infohash } from './metainfo.js'

export type * from './manifest-types.js'

/** The media type of a manifest's body. */
export const MANIFEST_CONTENT_TYPE = 'application/vnd.bootswarm.manifest'

/** What a reader knows before it reads. */
export interface Expected {
  /** Its own nonce, 32 lower-case hex digits. */
  readonly nonce: string
  /** Its own identity. */
  readonly node: string
}

const HEADER = 'bootswarm-manifest-v1'
const HEADER_LINE = /^bootswarm-manifest-v1 ([A-Za-z0-9+/]{86}==)\n$/
const HEADER_LINE_BYTES = 111
/**
 * The canonical JSON of a manifest, checked against every limit of docs/manifest.md.
 *
 * @throws BootswarmError MANIFEST_LIMIT, MANIFEST_MALFORMED, MANIFEST_UNKNOWN_FIELD
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  checkShape(manifest)
  checkLimits(manifest)
  const bytes = encodeCanonicalJson(manifest)
  if (HEADER_LINE_BYTES + bytes.length > MANIFEST_BYTES_MAX) {
    throw new BootswarmError('MANIFEST_LIMIT', `the manifest has ${bytes.length} bytes, at most 4 MiB`)
  }
  return bytes
}

/** The body: header line with the ed25519 signature, then the JSON as given by {@link encodeManifest}. */
export function signManifest(json: Uint8Array, privateKey: KeyObject): Uint8Array {
  const signature = sign(null, signedBytes(json), privateKey).toString('base64')
  return Buffer.concat([Buffer.from(`${HEADER} ${signature}\n`, 'latin1'), json])
}

/**
 * Reads a body in the order of docs/manifest.md: nothing is parsed before the signature holds.
 *
 * @throws BootswarmError one of the MANIFEST_ codes
 */
export function openManifest(body: Uint8Array, publicKey: KeyObject, expected: Expected): Manifest {
  const json = verifyBody(body, publicKey)
  const value = parseCanonicalJson(json)
  checkShape(value)
  if (value.nonce !== expected.nonce) {
    throw new BootswarmError('MANIFEST_REPLAYED', 'the manifest was made for another boot: the nonce differs')
  }
  if (value.node.id !== expected.node) {
    throw new BootswarmError('MANIFEST_WRONG_NODE', `the manifest was made for ${value.node.id.slice(0, 64)}`)
  }
  checkLimits(value)
  checkInfohashes(value)
  return value
}

/** The JSON of a body whose header and signature hold. */
function verifyBody(body: Uint8Array, publicKey: KeyObject): Uint8Array {
  if (body.length > MANIFEST_BYTES_MAX) {
    throw new BootswarmError('MANIFEST_MALFORMED', `${body.length} bytes, at most ${MANIFEST_BYTES_MAX}`)
  }
  const header = Buffer.from(body.subarray(0, HEADER_LINE_BYTES)).toString('latin1')
  const match = HEADER_LINE.exec(header)
  if (!match?.[1])
    throw new BootswarmError('MANIFEST_MALFORMED', `the first line is not "${HEADER} SIGNATURE"`)
  const signature = Buffer.from(match[1], 'base64')
  // The last character of 88 carries four unused bits: only one spelling of a signature is accepted.
  if (signature.toString('base64') !== match[1]) {
    throw new BootswarmError('MANIFEST_MALFORMED', 'the signature is not canonical base64')
  }
  const json = body.subarray(HEADER_LINE_BYTES)
  if (!verify(null, signedBytes(json), publicKey, signature)) {
    throw new BootswarmError('MANIFEST_BAD_SIGNATURE', 'the signature does not hold')
  }
  return json
}

function signedBytes(json: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${HEADER}\n`, 'latin1'), json])
}

function checkInfohashes(manifest: Manifest): void {
  for (const artifact of manifest.artifacts) {
    // Nodes get the info dictionary of a larger one from their peers, and check it then.
    if (!isInline(artifact)) continue
    const actual = infohash({
      name: artifact.name,
      sizeBytes: artifact.size_bytes,
      pieceLengthBytes: artifact.piece_length,
      pieces: Buffer.from(artifact.pieces, 'base64'),
    })
    if (actual !== artifact.infohash) {
      throw new BootswarmError(
        'MANIFEST_BAD_INFOHASH',
        `${artifact.name}: the manifest says ${artifact.infohash}, its info dictionary gives ${actual}`,
      )
    }
  }
}
