/**
 * Tells from an archive's first bytes how large a dictionary its decompressor needs: the agent has that memory
 * beside the payload while it unpacks. Reads the first frame or block; hostile bytes give no answer. No I/O.
 */
import { UNPACK_DICTIONARY_BYTES_MAX } from '../src/limits.js'
import { compressionOf, isSkippableFrame } from './format.js'

/** What the header of a compressed archive asks for. */
export interface Dictionary {
  readonly by: 'xz' | 'zstd'
  /** Memory that decoding may take for it, bytes. */
  readonly bytes: number
}

const mebibyte = 1024 * 1024

const xzStreamHeaderBytes = 12
/** The filter's id (the .xz file format, 5.3.1). */
const xzLzma2 = 0x21
/** More skippable frames in front of the first real one are not looked behind. */
const zstdSkippableMax = 16

/** The dictionary of xz and zstd; undefined for everything else, and where the header makes no sense. */
export function dictionaryOf(head: Uint8Array): Dictionary | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  try {
    return compressionOf(bytes) === 'xz' ? ofXz(bytes) : ofZstd(bytes)
  } catch (error) {
    // Cut short, or lengths that lead out of it.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Why the agent would not unpack it; undefined if it would. */
export function dictionaryRefusal(dictionary: Dictionary | undefined): string | undefined {
  if (dictionary === undefined || dictionary.bytes <= UNPACK_DICTIONARY_BYTES_MAX) return undefined
  const needed = mebibytes(dictionary.bytes)
  return `each node would need ${needed} MiB of memory to unpack it, agents take no more than ${mebibytes(UNPACK_DICTIONARY_BYTES_MAX)} MiB: pack it again with ${advice[dictionary.by]}`
}

const advice = { xz: '`xz -6`', zstd: '`zstd -19`, without --ultra and --long' } as const

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / mebibyte)
}

/** The .xz file format 1.1.0: stream header (2.1.1), block header (3.1), LZMA2's properties (5.3.1). */
function ofXz(bytes: Buffer): Dictionary | undefined {
  const sizeByte = bytes.readUInt8(xzStreamHeaderBytes)
  // 0 begins the index: there is no block, so nothing inside.
  if (sizeByte === 0) return undefined
  const header = bytes.subarray(xzStreamHeaderBytes, xzStreamHeaderBytes + (sizeByte + 1) * 4)
  const flags = header.readUInt8(1)
  const at = { offset: 2 }
  if ((flags & 0x40) !== 0) xzInteger(header, at)
  if ((flags & 0x80) !== 0) xzInteger(header, at)
  for (let left = (flags & 0x03) + 1; left > 0; left -= 1) {
    const id = xzInteger(header, at)
    const propertiesBytes = xzInteger(header, at)
    if (id === xzLzma2) {
      const bits = header.readUInt8(at.offset)
      if (propertiesBytes !== 1 || bits > 40) return undefined
      const size = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11)
      return { by: 'xz', bytes: size }
    }
    at.offset += propertiesBytes
  }
  return undefined
}

/** A multibyte integer (1.2): seven bits a byte, the lowest first, at most nine bytes. @throws RangeError */
function xzInteger(header: Buffer, at: { offset: number }): number {
  let value = 0
  for (let index = 0; index < 9; index += 1) {
    const byte = header.readUInt8(at.offset)
    at.offset += 1
    value += (byte & 0x7f) * 128 ** index
    if ((byte & 0x80) === 0) return value
  }
  throw new RangeError('an integer of more than nine bytes')
}

/** RFC 8878, 3.1.1.1: the frame header; 3.1.2: skippable frames, which some tools put first. */
function ofZstd(bytes: Buffer): Dictionary | undefined {
  let at = 0
  for (let skipped = 0; isSkippableFrame(bytes.subarray(at)); skipped += 1) {
    if (skipped === zstdSkippableMax) return undefined
    at += 8 + bytes.readUInt32LE(at + 4)
  }
  if (compressionOf(bytes.subarray(at)) !== 'zstd') return undefined
  const descriptor = bytes.readUInt8(at + 4)
  at += 5
  const isSingleSegment = (descriptor & 0x20) !== 0
  let windowBytes = 0
  if (!isSingleSegment) {
    const window = bytes.readUInt8(at)
    at += 1
    const base = 2 ** (10 + (window >> 3))
    windowBytes = base + (base / 8) * (window & 0x07)
  }
  at += [0, 1, 2, 4][descriptor & 0x03] ?? 0
  // One segment: the whole content is the window.
  if (isSingleSegment) windowBytes = zstdContentBytes(bytes, at, descriptor >> 6)
  return { by: 'zstd', bytes: windowBytes }
}

/** Frame_Content_Size (3.1.1.1.4) of a frame of a single segment, which always says it. @throws RangeError */
function zstdContentBytes(bytes: Buffer, at: number, flag: number): number {
  switch (flag) {
    case 0:
      return bytes.readUInt8(at)
    case 1:
      return bytes.readUInt16LE(at) + 256
    case 2:
      return bytes.readUInt32LE(at)
    default:
      return Number(bytes.readBigUInt64LE(at))
  }
}
