/**
 * The content coding `bw1` of manifests (docs/manifest.md): zlib (RFC 1950) with what all manifests have in common
 * as its dictionary. A manifest of one artifact is half as long as with gzip.
 */
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'

/** Its name in `Accept-Encoding` and `Content-Encoding`. */
export const MANIFEST_CODING = 'bw1'

/** The dictionary; a change of a single byte needs another name. The most common strings come last (zlib prefers short distances). */
export const MANIFEST_DICTIONARY = Buffer.from(
  [
    '"format":"raw","format":"squashfs","format":"cpio",".squashfs","origins":[".img","origins":["',
    '.tar.gz","origins":["https://[fd00::1]:8443/v1/artifacts/,"piece_length":1048576,"pieces":"',
    '},{"format":"tar","infohash":"","kind":"plugin","name":"coinboot_","piece_length":65536,"pieces":"',
    'bootswarm-manifest-v1 ==\n{"artifacts":[{"format":"tar","infohash":"","kind":"rootfs","name":"',
    '.tar.zst","origins":["https://192.168.10.:8443/v1/artifacts/',
    '"],"piece_length":262144,"pieces":"","sha256":"","size_bytes":}],"dht":["10.0.:6881"],',
    '"events_url":"https://10.0.:8443/v1/nodes/52:54:00:/events","node":{"hostname":"","id":"","rack":"',
    '0/24","settings":{}},"nonce":"","seeders":["10.:6881"],"site":"bootswarm","time_s":1795,"trackers":["http://',
    ':8480/announce"],"version":1}\nld8:intervali20e11:local peersi23e12:min intervali1e5:peers162:ee',
  ].join(''),
)

const compress = promisify<Uint8Array, { dictionary: Uint8Array; level: number }, Buffer>(deflate)

/** A body in this coding; made in another thread. */
export function encodeManifestBody(body: Uint8Array): Promise<Buffer> {
  return compress(body, { dictionary: MANIFEST_DICTIONARY, level: 9 })
}
