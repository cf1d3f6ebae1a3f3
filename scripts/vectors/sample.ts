/** A whole manifest made with a fixed key, and how to bend it: what all manifest vectors are made of. */

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { encodeCanonicalJson } from '../../src/canonical-json.js'
import type { ErrorCode } from '../../src/errors.js'
import type { Manifest, ManifestArtifact } from '../../src/manifest.js'
import { infohash, pieceCount } from '../../src/metainfo.js'

/** One body and what a reader must say to it. */
export interface ManifestCase {
  readonly name: string
  readonly body_base64: string
  /** The 32 raw bytes. */
  readonly public_key_base64: string
  readonly nonce: string
  readonly node: string
  readonly expect: Expect
}

/** `ok` or the code. */
export type Expect = 'ok' | ErrorCode

/** The key with a seed of one repeated byte (RFC 8410): for tests only. */
export function testKey(byte: number): KeyObject {
  const head = Buffer.from('302e020100300506032b657004220420', 'hex')
  return createPrivateKey({
    key: Buffer.concat([head, Buffer.alloc(32, byte)]),
    format: 'der',
    type: 'pkcs8',
  })
}

/** Signs all vectors but those with a wrong signature. */
export const KEY = testKey(1)
const PUBLIC = createPublicKey(KEY).export({ format: 'jwk' }).x ?? ''
const NONCE = '000102030405060708090a0b0c0d0e0f'
const NODE = '52:54:00:12:34:56'

/** An artifact whose pieces are all of the same byte, with its right infohash. */
export function artifact(
  kind: ManifestArtifact['kind'],
  name: string,
  format: ManifestArtifact['format'],
  size_bytes: number,
  piece_length: number,
): ManifestArtifact {
  const pieces = Buffer.alloc(20 * pieceCount(size_bytes, piece_length), name.length)
  return {
    format,
    infohash: infohash({ name, sizeBytes: size_bytes, pieceLengthBytes: piece_length, pieces }),
    kind,
    name,
    origins: [`https://10.0.0.1:8443/v1/artifacts/${'ab'.repeat(32)}/${encodeURIComponent(name)}`],
    piece_length,
    pieces: pieces.length > 16 * 20 ? '' : pieces.toString('base64'),
    sha256: 'ab'.repeat(32),
    size_bytes,
  }
}

/** A whole and valid manifest with every member in use. */
export function sampleManifest(): Manifest {
  return {
    artifacts: [
      artifact('rootfs', 'debian.tar.zst', 'tar', 100_000, 65_536),
      artifact('plugin', 'räum "auf".squashfs', 'squashfs', 16_384, 16_384),
    ],
    dht: ['10.0.0.1:6881', '[fd00::1]:6881'],
    events_url: `https://10.0.0.1:8443/v1/nodes/${NODE}/events`,
    node: {
      hostname: 'rig001',
      id: NODE,
      rack: '10.0.1.0/24',
      settings: {
        EMPTY: '',
        POOL_URL: 'stratum+tcp://pool:3333',
        _Quote: 'tab\t"back\\slash" \u0001 \u007f é € 😀',
      },
    },
    nonce: NONCE,
    seeders: ['10.0.0.1:6881'],
    site: 'test',
    time_s: 1_790_000_000,
    trackers: ['http://10.0.0.1:8480/announce'],
    version: 7,
  }
}

/** The canonical JSON of the sample with other members, whatever they are. */
export function jsonOf(changes: Readonly<Record<string, unknown>> = {}): string {
  return Buffer.from(encodeCanonicalJson({ ...sampleManifest(), ...changes })).toString()
}

/** A body with a right signature over the header line and these bytes. */
export function bodyOf(
  json: string | Uint8Array,
  key = KEY,
  signedHeader = 'bootswarm-manifest-v1\n',
): Buffer {
  const bytes = Buffer.from(json)
  const signature = sign(null, Buffer.concat([Buffer.from(signedHeader), bytes]), key).toString('base64')
  return Buffer.concat([Buffer.from(`bootswarm-manifest-v1 ${signature}\n`), bytes])
}

/** A case; nonce and node are the sample's unless given. */
export function entry(
  name: string,
  body: Uint8Array,
  expect: Expect,
  own: { readonly nonce?: string; readonly node?: string } = {},
): ManifestCase {
  return {
    name,
    body_base64: Buffer.from(body).toString('base64'),
    public_key_base64: Buffer.from(PUBLIC, 'base64url').toString('base64'),
    nonce: own.nonce ?? NONCE,
    node: own.node ?? NODE,
    expect,
  }
}
