/**
 * How much of one peer's messages is read before all others have had their turn: some milliseconds' worth, whatever the
 * messages are. Pure but for the event loop that it waits for.
 */

/** Bytes of messages that are read in one turn of the event loop. */
const turnBytes = 16_384
/** What each message counts for beside its bytes: the smallest cost as much to handle as they are long. */
const messageBytes = 16

/** The turns of one peer. */
export class Turn {
  readonly #next: () => void
  #leftBytes = turnBytes

  /** @param next called at the beginning of the next turn if something was read in this one */
  constructor(next: () => void) {
    this.#next = next
  }

  get isOver(): boolean {
    return this.#leftBytes <= 0
  }

  /** A message is read; a longer one than is left ends the turn. */
  read(bytes: number): void {
    if (this.#leftBytes === turnBytes) {
      setImmediate(() => {
        this.#leftBytes = turnBytes
        this.#next()
      })
    }
    this.#leftBytes -= bytes + messageBytes
  }
}
