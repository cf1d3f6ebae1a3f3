/**
 * How much of a file is read at a time. Fewer bytes cost processor time, more cost memory: two parts of each file wait for a client
 * that does not read. With many clients the parts get smaller, so that all of them wait in a bounded amount. No I/O.
 */

const partBytes = { min: 16 * 1024, max: 256 * 1024 } as const

/** All parts that wait, until there are so many clients that each has the smallest. */
const waitingBytesMax = 64 * 1024 * 1024
const partsOfFile = 2

/** Counts the files that are being sent. */
export class ReadAhead {
  #files = 0

  /** One more file is sent; bytes to read of it at a time. */
  begin(): number {
    this.#files += 1
    const share = Math.floor(waitingBytesMax / partsOfFile / this.#files)
    return Math.min(partBytes.max, Math.max(partBytes.min, share))
  }

  end(): void {
    this.#files -= 1
  }
}
