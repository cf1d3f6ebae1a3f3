/** Reads the members of a cpio: newc and its crc variant, several in a row, as the kernel and the agent do. No I/O. */
import {
  CONTENT_BYTES_MAX,
  Gathering,
  MEMBERS_MAX,
  type MemberKind,
  type MemberReader,
  type OnMember,
  unreadable,
} from './members.js'

const HEADER_BYTES = 110
/** Longest path (PATH_MAX). */
const NAME_BYTES_MAX = 4096

/** The upper four bits of a mode (stat(2)). */
const kinds: Readonly<Record<number, MemberKind>> = {
  1: 'fifo',
  2: 'device',
  4: 'directory',
  6: 'device',
  8: 'file',
  10: 'link',
  12: 'socket',
}

/** A reader of one or several cpio archives in a row. */
export class CpioReader implements MemberReader {
  readonly #bytes = new Gathering()
  readonly #onMember: OnMember
  #next: { readonly bytes: number; readonly use: (part: Buffer) => void } | undefined
  /** Bytes read, for the padding to four. */
  #position = 0
  #members = 0
  /** Between archives: after the trailer, before another header. */
  #between = false
  #opaqueAt: number | undefined

  constructor(onMember: OnMember) {
    this.#onMember = onMember
  }

  /** Where something begins that is not looked into: a compressed archive may follow an uncompressed one. */
  get opaqueAt(): number | undefined {
    return this.#opaqueAt
  }

  push(part: Buffer): void {
    if (this.#opaqueAt !== undefined) return
    this.#bytes.add(part)
    for (;;) {
      if (this.#between && !this.#passPadding()) return
      const { bytes, use } = this.#next ?? { bytes: HEADER_BYTES, use: (header) => this.#header(header) }
      const taken = this.#bytes.take(bytes)
      if (taken === undefined) return
      this.#position += bytes
      this.#next = undefined
      use(taken)
    }
  }

  end(): void {
    if (!this.#between) throw unreadable(`the cpio is cut off after ${this.#members} members`)
  }

  /** Zeros fill up blocks. Returns whether a header of another archive begins. */
  #passPadding(): boolean {
    for (;;) {
      const word = this.#bytes.take(4)
      if (word === undefined) return false
      this.#position += 4
      if (word.readUInt32BE(0) === 0) continue
      this.#between = false
      if (word.toString('latin1') === '0707') {
        this.#next = {
          bytes: HEADER_BYTES - 4,
          use: (rest) => this.#header(Buffer.concat([word, rest])),
        }
        return true
      }
      this.#between = true
      // Only headers begin at a multiple of four.
      this.#opaqueAt = this.#position - 4 + word.findIndex((byte) => byte !== 0)
      return false
    }
  }

  #header(header: Buffer): void {
    const magic = header.toString('latin1', 0, 6)
    if (!/^07070[12]$/.test(magic)) {
      throw unreadable(`no cpio header (newc) where member ${this.#members + 1} should begin`)
    }
    const field = (index: number) => {
      const digits = header.toString('latin1', 6 + 8 * index, 14 + 8 * index)
      if (!/^[0-9a-fA-F]{8}$/.test(digits)) throw unreadable('a number of a cpio header makes no sense')
      return Number.parseInt(digits, 16)
    }
    const [mode, uid, gid, sizeBytes, nameBytes] = [field(1), field(2), field(3), field(6), field(11)]
    if (nameBytes < 1 || nameBytes > NAME_BYTES_MAX) throw unreadable('a name of a cpio member is too long')
    this.#next = {
      bytes: nameBytes + this.#padding(nameBytes),
      use: (bytes) => {
        const name = bytes.toString('utf8', 0, nameBytes - 1)
        if (name === 'TRAILER!!!') this.#between = true
        else this.#member(name, mode, uid, gid, sizeBytes)
      },
    }
  }

  #member(name: string, mode: number, uid: number, gid: number, sizeBytes: number): void {
    this.#members += 1
    if (this.#members > MEMBERS_MAX) throw unreadable(`more than ${MEMBERS_MAX} members`)
    const kind = kinds[mode >> 12] ?? 'strange'
    const whole = sizeBytes + this.#padding(sizeBytes)
    const tell = (target?: string) =>
      this.#onMember({ name, kind, mode: mode & 0o7777, uid, gid, sizeBytes, target, xattrs: [] })
    if (kind === 'link') {
      if (sizeBytes > NAME_BYTES_MAX) throw unreadable('the target of a link in the cpio is too long')
      this.#next = { bytes: whole, use: (bytes) => void tell(bytes.toString('utf8', 0, sizeBytes)) }
      return
    }
    const use = tell()
    if (use !== undefined && sizeBytes <= CONTENT_BYTES_MAX) {
      this.#next = { bytes: whole, use: (bytes) => use(bytes.subarray(0, sizeBytes)) }
      return
    }
    this.#bytes.skip(whole)
    this.#position += whole
  }

  /** What is missing to the next multiple of four behind so many bytes more. */
  #padding(bytes: number): number {
    return (4 - ((this.#position + bytes) % 4)) % 4
  }
}
