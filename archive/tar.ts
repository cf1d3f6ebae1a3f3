/** Reads the members of a tar: ustar, GNU long names, pax (POSIX.1-2001), as the agent does. No I/O. */
import {
  CONTENT_BYTES_MAX,
  Gathering,
  MEMBERS_MAX,
  type Member,
  type MemberKind,
  type MemberReader,
  type OnMember,
  unreadable,
} from './members.js'

const BLOCK_BYTES = 512

const kinds: Readonly<Record<string, MemberKind>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'link',
  '3': 'device',
  '4': 'device',
  '5': 'directory',
  '6': 'fifo',
}

/** A reader of one tar. */
export class TarReader implements MemberReader {
  readonly #bytes = new Gathering()
  readonly #onMember: OnMember
  /** What to do with the next content, with the padding behind it. */
  #content: { readonly bytes: number; readonly use: (content: Buffer) => void } | undefined
  #pax = new Map<string, string>()
  #global = new Map<string, string>()
  #longName: string | undefined
  #longTarget: string | undefined
  #members = 0
  #ended = false

  constructor(onMember: OnMember) {
    this.#onMember = onMember
  }

  push(part: Buffer): void {
    // Behind the end mark lies padding.
    if (this.#ended) return
    this.#bytes.add(part)
    for (;;) {
      if (this.#content !== undefined) {
        const { bytes, use } = this.#content
        const content = this.#bytes.take(padded(bytes))
        if (content === undefined) return
        this.#content = undefined
        use(content.subarray(0, bytes))
        continue
      }
      const block = this.#bytes.take(BLOCK_BYTES)
      if (block === undefined) return
      if (block.every((byte) => byte === 0)) {
        this.#ended = true
        return
      }
      this.#header(block)
    }
  }

  end(): void {
    if (!this.#ended) throw unreadable(`the tar is cut off after ${this.#members} members`)
  }

  #header(block: Buffer): void {
    if (!checksumHolds(block))
      throw unreadable(`no tar header where member ${this.#members + 1} should begin`)
    const type = block.toString('latin1', 156, 157)
    const sizeBytes = number(block, 124, 12)
    if ('xgLK'.includes(type)) {
      if (sizeBytes > CONTENT_BYTES_MAX) throw unreadable(`a header of ${sizeBytes} bytes`)
      this.#content = { bytes: sizeBytes, use: (content) => this.#extension(type, content) }
      return
    }
    this.#members += 1
    if (this.#members > MEMBERS_MAX) throw unreadable(`more than ${MEMBERS_MAX} members`)
    this.#member(block, type, sizeBytes)
    this.#pax = new Map()
    this.#longName = undefined
    this.#longTarget = undefined
  }

  #member(block: Buffer, type: string, headerBytes: number): void {
    const field = (key: string) => this.#pax.get(key) ?? this.#global.get(key)
    const prefix =
      block.toString('latin1', 257, 262) === 'ustar' && block[262] === 0 ? text(block, 345, 155) : ''
    const plain = text(block, 0, 100)
    const name = field('path') ?? this.#longName ?? (prefix === '' ? plain : `${prefix}/${plain}`)
    const target = field('linkpath') ?? this.#longTarget ?? text(block, 157, 100)
    const own = Number(field('size') ?? headerBytes)
    if (!Number.isSafeInteger(own) || own < 0) throw unreadable(`${name.slice(0, 200)} has a strange size`)
    const keys = [...this.#pax.keys(), ...this.#global.keys()]
    const known = kinds[type] ?? 'strange'
    // An old tar marks a directory by the end of its name.
    const typed = known === 'file' && name.endsWith('/') ? 'directory' : known
    const kind = keys.some((key) => key.startsWith('GNU.sparse.')) ? 'strange' : typed
    // Links have no content, whatever their size says.
    const sizeBytes = kind === 'link' || kind === 'device' || kind === 'fifo' ? 0 : own
    const use = this.#onMember({
      name,
      kind,
      mode: number(block, 100, 8) & 0o7777,
      uid: Number(field('uid') ?? number(block, 108, 8)),
      gid: Number(field('gid') ?? number(block, 116, 8)),
      sizeBytes,
      target: kind === 'link' || kind === 'hard link' ? target : undefined,
      xattrs: keys.flatMap((key) => (key.startsWith('SCHILY.xattr.') ? [key.slice(13)] : [])),
    } satisfies Member)
    if (use === undefined || sizeBytes > CONTENT_BYTES_MAX) this.#bytes.skip(padded(sizeBytes))
    else this.#content = { bytes: sizeBytes, use }
  }

  #extension(type: string, content: Buffer): void {
    if (type === 'L') this.#longName = untilZero(content)
    else if (type === 'K') this.#longTarget = untilZero(content)
    else readPax(content, type === 'g' ? this.#global : this.#pax)
  }
}

/** Records `LENGTH KEY=VALUE\n`; the length counts itself (pax, POSIX.1-2001). */
function readPax(content: Buffer, into: Map<string, string>): void {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const length = space < 0 ? Number.NaN : Number(content.toString('latin1', at, space))
    const equals = content.indexOf(0x3d, space)
    const end = at + length
    if (!(length > 0) || end > content.length || equals < 0 || equals >= end || content[end - 1] !== 0x0a) {
      throw unreadable('a pax header makes no sense')
    }
    into.set(content.toString('utf8', space + 1, equals), content.toString('utf8', equals + 1, end - 1))
    at = end
  }
}

/** The sum of all bytes, the field itself counted as spaces. */
function checksumHolds(block: Buffer): boolean {
  let sum = 8 * 0x20
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0
  }
  return sum === Number.parseInt(text(block, 148, 8).trim(), 8)
}

/** Octal, or base 256 where the first bit is set (GNU). */
function number(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0
  if ((first & 0x80) === 0) {
    const digits = text(block, at, length).trim()
    if (digits === '') return 0
    if (!/^[0-7]+$/.test(digits)) throw unreadable('a number of a tar header makes no sense')
    return Number.parseInt(digits, 8)
  }
  let value = first & 0x7f
  for (let index = at + 1; index < at + length; index += 1) value = value * 256 + (block[index] ?? 0)
  return value
}

function text(block: Buffer, at: number, length: number): string {
  return untilZero(block.subarray(at, at + length))
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}
