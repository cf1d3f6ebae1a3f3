/** The files that nodes load in their turn of the boot queue: whose they are, and what they move. */
import { addressOwner } from '../../src/net.js'

/** A file that a node loads in its turn. */
export interface FileInTurn {
  /** What the system has taken of it so far. */
  movedBytes(): number
  /** The queue no longer counts the turn, or would give it to the next node: it moves too little. */
  isCrawling(): boolean
}

/** One of them. */
export interface Loading {
  /** It has been sent, or the node is gone. */
  end(): void
  /** Nobody goes second because of it any more. Again: no effect. */
  forget(): void
}

interface Known {
  readonly owner: string
  readonly file: FileInTurn
  countedBytes: number
  isCrawling: boolean
  hasEnded: boolean
}

/** Those of all listeners. A file counts until it is forgotten, but for the time in which it crawls. */
export class FilesInTurn {
  readonly #files = new Set<Known>()
  /** Files that do not crawl, by whose they are. Counted: a node asks again as often as it likes, and each file is known for a second. */
  readonly #counting = new Map<string, number>()
  #movedBytes = 0

  get size(): number {
    return this.#files.size
  }

  begin(address: string, file: FileInTurn): Loading {
    const owner = addressOwner(address)
    const known: Known = { owner, file, countedBytes: file.movedBytes(), isCrawling: false, hasEnded: false }
    this.#files.add(known)
    this.#add(owner, 1)
    return {
      end: () => {
        this.#count(known)
        known.hasEnded = true
      },
      forget: () => {
        if (this.#files.delete(known) && !known.isCrawling) this.#add(owner, -1)
      },
    }
  }

  /** Whether all that count belong to `owner`, or none does. */
  haveNoOther(owner: string): boolean {
    return this.#counting.size === 0 || (this.#counting.size === 1 && this.#counting.has(owner))
  }

  /** Whether a file is being loaded that counts. */
  get areLoading(): boolean {
    return [...this.#files].some(({ hasEnded, isCrawling }) => !hasEnded && !isCrawling)
  }

  /** What those that count have moved since the last time, bytes. Crawling is judged as of now. */
  takeMoved(): number {
    for (const known of this.#files) this.#count(known)
    const bytes = this.#movedBytes
    this.#movedBytes = 0
    return bytes
  }

  #count(known: Known): void {
    if (known.hasEnded) return
    const bytes = known.file.movedBytes()
    const isCrawling = known.file.isCrawling()
    if (isCrawling !== known.isCrawling) this.#add(known.owner, isCrawling ? -1 : 1)
    known.isCrawling = isCrawling
    if (!known.isCrawling) this.#movedBytes += bytes - known.countedBytes
    known.countedBytes = bytes
  }

  #add(owner: string, count: 1 | -1): void {
    const sum = (this.#counting.get(owner) ?? 0) + count
    if (sum > 0) this.#counting.set(owner, sum)
    else this.#counting.delete(owner)
  }
}
