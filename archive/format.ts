/**
 * Tells what is inside an artifact, as the manifest's `format` says it: `tar`, `cpio`, `squashfs` or `raw`.
 * The first bytes decide; where they are compressed with something that Node cannot open (xz, zstd on
 * Node 20), the name does. No I/O.
 */
import { constants, gunzipSync } from 'node:zlib'

/** What is inside; which compression is around it the agent sees by itself. */
export type ArtifactFormat = 'tar' | 'cpio' | 'squashfs' | 'raw'

/** Bytes of a file's head that {@link detectFormat} wants to see. */
export const headBytes = 64 * 1024

/** Tells the format from a file's first bytes (up to {@link headBytes}) and its name. */
export function detectFormat(head: Uint8Array, name: string): ArtifactFormat {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  const plain = formatOfPlain(bytes)
  if (plain !== undefined) return plain
  const compression = compressionOf(bytes)
  if (compression === undefined) return 'raw'
  if (compression === 'gzip') {
    const inner = gunzipHead(bytes)
    if (inner !== undefined) return formatOfPlain(inner) ?? 'raw'
  }
  return formatOfName(name) ?? 'raw'
}

/** The compression around a file's bytes, by its magic number. */
export function compressionOf(head: Uint8Array): 'gzip' | 'xz' | 'zstd' | undefined {
  const at = (index: number) => head[index]
  if (at(0) === 0x1f && at(1) === 0x8b) return 'gzip'
  if (at(0) === 0xfd && at(1) === 0x37 && at(2) === 0x7a && at(3) === 0x58 && at(4) === 0x5a && at(5) === 0)
    return 'xz'
  if (at(0) === 0x28 && at(1) === 0xb5 && at(2) === 0x2f && at(3) === 0xfd) return 'zstd'
  return undefined
}

function formatOfPlain(bytes: Buffer): ArtifactFormat | undefined {
  const magic = bytes.toString('latin1', 0, 6)
  if (magic === '070701' || magic === '070702' || magic === '070707') return 'cpio'
  if (magic.startsWith('hsqs')) return 'squashfs'
  if (isTarHeader(bytes)) return 'tar'
  return undefined
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
function gunzipHead(bytes: Buffer): Buffer | undefined {
  try {
    // The head ends in mid-stream, so a missing end is no error; 64 KiB of gzip inflate to 64 MiB at most.
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 80 * 1024 * 1024 })
  } catch {
    return undefined
  }
}
