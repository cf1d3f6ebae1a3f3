/** Reads an initramfs: archives in cpio's newc form, plain or compressed, one after the other (Linux: buffer-format.rst). Pure. */

/** How a part is packed. */
export type Packing = 'none' | 'gzip' | 'xz' | 'zstd' | 'lz4' | 'lzma' | 'bzip2' | 'unknown'

/** A file of an archive. */
export interface Member {
  /** Without a slash at the beginning. */
  readonly name: string
  readonly mode: number
  readonly data: Buffer
}

/** Members of the plain archives at the beginning, and what follows them. */
export interface PlainPart {
  readonly members: readonly Member[]
  readonly rest: Buffer
  /** What is wrong with it. */
  readonly damage?: string
}

const headerBytes = 110
const trailer = 'TRAILER!!!'

const magics: readonly (readonly [Packing, readonly number[]])[] = [
  ['none', [0x30, 0x37, 0x30, 0x37, 0x30]],
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lzma', [0x5d, 0x00, 0x00]],
]

/** How the bytes are packed, by how they begin. */
export function packingOf(bytes: Buffer): Packing {
  return magics.find(([, magic]) => magic.every((byte, at) => bytes[at] === byte))?.[0] ?? 'unknown'
}

/** Reads plain archives as long as there are some. */
export function readPlain(bytes: Buffer): PlainPart {
  const members: Member[] = []
  for (let at = 0; ; ) {
    // Archives are padded with zeros to any length.
    while (at < bytes.length && bytes[at] === 0) at++
    if (packingOf(bytes.subarray(at)) !== 'none') return { members, rest: bytes.subarray(at) }
    for (;;) {
      const member = readMember(bytes, at)
      if (member === undefined)
        return {
          members,
          rest: bytes.subarray(bytes.length),
          damage: `cut short after ${members.length} files`,
        }
      at = member.end
      if (member.name === trailer) break
      members.push(member)
    }
  }
}

function readMember(bytes: Buffer, at: number): (Member & { end: number }) | undefined {
  const header = bytes.toString('latin1', at, at + headerBytes)
  if (!/^07070[12][0-9A-Fa-f]{104}$/.test(header)) return undefined
  const field = (index: number) => Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16)
  const nameEnd = at + headerBytes + field(11)
  const dataAt = nameEnd + padding(headerBytes + field(11))
  const dataEnd = dataAt + field(6)
  if (dataEnd > bytes.length) return undefined
  const name = bytes.toString('utf8', at + headerBytes, nameEnd - 1).replace(/^(\.?\/)+/, '')
  // Offsets are relative to the archive, whose beginning is a multiple of 4 like the whole file's.
  return { name, mode: field(1), data: bytes.subarray(dataAt, dataEnd), end: dataEnd + padding(field(6)) }
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4
}
