/**
 * Whose messages are read when. In one turn of the event loop some milliseconds' worth of messages is read, whatever they are
 * and however many peers send them: Node.js accepts one connection in a turn, so long turns keep newcomers waiting. What is
 * left waits, and addresses are served in turn. Pure but for the event loop that it waits for.
 */

import { AddressQueues } from '../../src/address-queues.js'

/** Bytes of messages that are read in one turn of the event loop: of one peer without a break, and of all. */
const peerBytes = 16_384
const allBytes = 32_768
/** What each message counts for beside its bytes: the smallest cost as much to handle as they are long. */
const messageBytes = 16

/** One peer. */
export interface Reader {
  /** Whether nothing more of it is to be read now; then call {@link wait} where there is more. */
  readonly isOver: boolean
  /** A message of so many bytes was read; a longer one than was left is the last. */
  read(bytes: number): void
  /** It has more to read. It keeps its place if it waits already. */
  wait(): void
}

/** The turns of all peers. */
export class Turns {
  #leftBytes = allBytes
  /** Who has read last, and what it may still read without a break. */
  #last: Reader | undefined
  #lastLeftBytes = 0
  readonly #waiting = new AddressQueues<() => void>()
  #isNextDue = false

  /**
   * Adds a peer.
   *
   * @param owner of its address
   * @param readOn called in its turn, once each time that it waited
   */
  reader(owner: string, readOn: () => void): Reader {
    const turns = this
    return {
      get isOver() {
        return turns.#leftBytes <= 0 || (turns.#last === this && turns.#lastLeftBytes <= 0)
      },
      read(bytes) {
        turns.#read(this, bytes + messageBytes)
      },
      wait() {
        turns.#waiting.add(owner, readOn)
        turns.#scheduleNext()
      },
    }
  }

  #read(reader: Reader, bytes: number): void {
    if (reader !== this.#last) this.#lastLeftBytes = peerBytes
    this.#last = reader
    this.#lastLeftBytes -= bytes
    this.#leftBytes -= bytes
    this.#scheduleNext()
  }

  #scheduleNext(): void {
    if (this.#isNextDue) return
    this.#isNextDue = true
    setImmediate(() => this.#next())
  }

  #next(): void {
    this.#isNextDue = false
    this.#leftBytes = allBytes
    this.#last = undefined
    while (this.#leftBytes > 0) {
      const readOn = this.#waiting.take()
      if (readOn === undefined) break
      readOn()
      // Where nobody else waits it reads on at once.
      this.#last = undefined
    }
    if (this.#waiting.size > 0) this.#scheduleNext()
  }
}
