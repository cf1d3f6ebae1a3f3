/**
 * How much of a file is read at a time. Fewer bytes cost processor time, more cost memory: two parts of each file wait for a client
 * that does not read. The more waits, the smaller the parts of the files that come. No I/O.
 */

const partBytes = { min: 16 * 1024, max: 256 * 1024 } as const
const partsOfFile = 2

/** All parts that wait, but for the smallest ones, which are not refused to anybody. */
const waitingBytesMax = 64 * 1024 * 1024

/** A part is at most so much of what is left: a hundred files have the largest parts. */
const partsLeft = 64

/** Counts what the files that are being sent may hold. */
export class ReadAhead {
  #waitingBytes = 0

  /** One more file is sent; bytes to read of it at a time, at most so many. */
  begin(bytesMax: number = partBytes.max): number {
    const share = Math.floor((waitingBytesMax - this.#waitingBytes) / partsLeft)
    const bytes = Math.min(bytesMax, Math.max(partBytes.min, share))
    this.#waitingBytes += partsOfFile * bytes
    return bytes
  }

  /** A file that was read in parts of so many bytes has ended. */
  end(bytes: number): void {
    this.#waitingBytes -= partsOfFile * bytes
  }
}
