/** Members of an archive, as the tar and the cpio reader emit them, and the buffer that they read from. No I/O. */
import { BootswarmError } from '../src/errors.js'

/** What a member is. `strange`: what agents do not unpack. */
export type MemberKind =
  | 'file'
  | 'directory'
  | 'link'
  | 'hard link'
  | 'device'
  | 'fifo'
  | 'socket'
  | 'strange'

/** A member, without its content. */
export interface Member {
  /** As written in the archive. */
  readonly name: string
  readonly kind: MemberKind
  /** Permissions with setuid, setgid and sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly sizeBytes: number
  /** Where a link leads. */
  readonly target: string | undefined
  readonly xattrs: readonly string[]
}

/** Is told of each member; what it returns gets the content, in one piece, of files up to {@link CONTENT_BYTES_MAX}. */
export type OnMember = (member: Member) => ((content: Buffer) => void) | undefined

/** A reader that gets the archive in parts of any size. */
export interface MemberReader {
  /** @throws {BootswarmError} IMAGE_FAILED for what is no such archive */
  push(part: Buffer): void
  /** Says that this was all. @throws {BootswarmError} IMAGE_FAILED if something is missing */
  end(): void
}

/** Larger contents are passed over. */
export const CONTENT_BYTES_MAX = 1024 * 1024

/** Members of one archive that agents unpack (docs/unpacking.md). */
export const MEMBERS_MAX = 1_000_000

/** Parts until a wanted number of bytes is together; what is skipped is not kept. */
export class Gathering {
  readonly #parts: Buffer[] = []
  #bytes = 0
  #skip = 0

  /** Bytes that are there. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether everything that shall be skipped has come. */
  get skipped(): boolean {
    return this.#skip === 0
  }

  add(part: Buffer): void {
    const left = part.subarray(Math.min(this.#skip, part.length))
    this.#skip -= part.length - left.length
    if (left.length === 0) return
    this.#parts.push(left)
    this.#bytes += left.length
  }

  /** The next bytes; undefined while they have not all come. */
  take(bytes: number): Buffer | undefined {
    if (this.#skip > 0 || this.#bytes < bytes) return undefined
    const [first] = this.#parts
    const all = first !== undefined && first.length >= bytes ? first : Buffer.concat(this.#parts)
    const rest = all.subarray(bytes)
    this.#parts.splice(0, all === first ? 1 : this.#parts.length)
    if (rest.length > 0) this.#parts.unshift(rest)
    this.#bytes -= bytes
    return all.subarray(0, bytes)
  }

  /** Drops the next bytes, also those that have not come. */
  skip(bytes: number): void {
    const here = Math.min(bytes, this.#bytes)
    this.take(here)
    this.#skip += bytes - here
  }
}

/** An archive that cannot be read. */
export function unreadable(message: string): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', message)
}
