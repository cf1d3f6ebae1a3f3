/**
 * When handshakes are handed over and when connections are accepted. Node.js accepts one connection in a turn of the event
 * loop, so a turn with handshakes in it keeps those waiting who are not accepted yet; and those are the honest ones, where one
 * client has opened thousands. Pure; counts instead of measuring time, so that it holds where the processor is busy.
 */

/** Handshakes of one turn: each costs half a millisecond or more. */
const atOnce = 8
/** As many connections are accepted before the next handshakes, if there are as many: about as much work. */
const acceptedMax = 64

/** What a turn of the event loop is for. */
export class HandOverPace {
  /** Accepted since the last handshakes. */
  #accepted = 0
  /** How many those were at the last turn. */
  #acceptedBefore = 0

  /** A connection was accepted. */
  accept(): void {
    this.#accepted++
  }

  /** To be asked once in each turn while handshakes wait: how many may be handed over now. */
  turn(): number {
    const isAccepting = this.#accepted > this.#acceptedBefore
    this.#acceptedBefore = this.#accepted
    if (isAccepting && this.#accepted < acceptedMax) return 0
    this.#accepted = 0
    this.#acceptedBefore = 0
    return atOnce
  }
}
