/**
 * Tells what a file is from its first bytes: which compression is around it, and what is inside. The one place for
 * catalog, image and doctor; the agent decides the same (test/vectors/format.json). No I/O.
 */
import { constants, gunzipSync } from 'node:zlib'
import type { ArtifactFormat } from '../src/manifest-types.js'

/** What packs a file. `lz4-legacy` is the frame that the kernel reads. */
export type Compression =
  | 'gzip'
  | 'xz'
  | 'zstd'
  | 'bzip2'
  | 'lzma'
  | 'lz4'
  | 'lz4-legacy'
  | 'lzip'
  | 'lzop'
  | 'compress'

/** Bytes of a file's head that {@link detectFormat} wants to see. */
export const headBytes = 64 * 1024

/** Those that agents unpack (docs/unpacking.md). */
const ofAgents: readonly Compression[] = ['gzip', 'xz', 'zstd']

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lzma', [0x5d, 0x00, 0x00]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['lz4-legacy', [0x02, 0x21, 0x4c, 0x18]],
  ['lzip', [0x4c, 0x5a, 0x49, 0x50]],
  ['lzop', [0x89, 0x4c, 0x5a, 0x4f]],
  ['compress', [0x1f, 0x9d]],
]

/** The compression around a file's bytes; undefined: none that is known. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const found = magics.find(([, magic]) => magic.every((byte, at) => head[at] === byte))
  return found?.[0] ?? (isSkippableFrame(head) ? 'zstd' : undefined)
}

/** Whether agents unpack it. */
export function isForAgents(compression: Compression | undefined): boolean {
  return compression === undefined || ofAgents.includes(compression)
}

/** A zstd frame without data (RFC 8878, 3.1.2), in front of others: pzstd begins every file with one. */
export function isSkippableFrame(head: Uint8Array): boolean {
  const [first = 0, second, third, fourth] = head
  return (first & 0xf0) === 0x50 && second === 0x2a && third === 0x4d && fourth === 0x18
}

/** What uncompressed bytes are. A cpio in a form other than newc and its crc variant is not unpacked by anything here. */
export function insideOf(head: Uint8Array): Exclude<ArtifactFormat, 'raw'> | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const magic = bytes.toString('latin1', 0, 6)
  if (magic === '070701' || magic === '070702') return 'cpio'
  if (magic.startsWith('hsqs')) return 'squashfs'
  return isTarHeader(bytes) ? 'tar' : undefined
}

/**
 * What is inside a file, from its first bytes (up to {@link headBytes}). Where they are compressed with something that
 * Node cannot open (xz, zstd on Node 20), its name decides.
 */
export function detectFormat(head: Uint8Array, name: string): ArtifactFormat {
  const compression = compressionOf(head)
  if (compression === undefined) return insideOf(head) ?? 'raw'
  if (!isForAgents(compression)) return 'raw'
  const inner = compression === 'gzip' ? gunzipHead(head) : undefined
  const inside = inner === undefined ? formatOfName(name) : insideOf(inner)
  // A squashfs is mounted as it is: inside a compression it is of no use.
  return inside === undefined || inside === 'squashfs' ? 'raw' : inside
}

/**
 * A tar begins with a header block whose checksum holds; that recognises the old dialect without `ustar` too.
 * The sum counts the checksum field itself as eight spaces (POSIX.1-2001, pax).
 */
function isTarHeader(bytes: Buffer): boolean {
  if (bytes.length < 512) return false
  const field = bytes.toString('latin1', 148, 156)
  const written = /^ *([0-7]{1,7})[ \0]*$/.exec(field)?.[1]
  if (written === undefined) return false
  let sum = 8 * 0x20
  for (let index = 0; index < 512; index += 1) {
    if (index < 148 || index >= 156) sum += bytes[index] ?? 0
  }
  return sum === Number.parseInt(written, 8)
}

function formatOfName(name: string): ArtifactFormat | undefined {
  const base = name.toLowerCase().replace(/\.(gz|xz|zst|zstd)$/, '')
  if (/\.(tar|tgz|txz|tzst)$/.test(base)) return 'tar'
  if (/(\.|^)(cpio|initramfs|initrd)$/.test(base)) return 'cpio'
  return undefined
}

/** Opens the beginning of a gzip stream; undefined if it is damaged. */
function gunzipHead(bytes: Uint8Array): Buffer | undefined {
  try {
    // The head ends in mid-stream, so a missing end is no error; 64 KiB of gzip inflate to 64 MiB at most.
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 80 * 1024 * 1024 })
  } catch {
    return undefined
  }
}
