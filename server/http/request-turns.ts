/**
 * Whose request is handled next, when more come than this process can handle at once: one of each address in turn. Without it an
 * address with hundreds of connections would have hundreds of requests handled before the next of another.
 */
import { AddressQueues } from '../../src/address-queues.js'
import { addressOwner } from '../../src/net.js'

/** Time for requests before the loop looks at its sockets again, milliseconds. */
const roundMs = 2

/** What it needs of the process. */
export interface TurnsClock {
  readonly nowMs: () => number
  /** Runs something after the loop has looked at its sockets. */
  readonly later: (run: () => void) => void
}

/** Runs the requests of all listeners. */
export class RequestTurns {
  readonly #clock: TurnsClock
  readonly #waiting = new AddressQueues<() => void>()
  #spentMs = 0
  #isRoundDue = false

  constructor(clock: TurnsClock) {
    this.#clock = clock
  }

  /** Runs a request of a client now, if there is time for it and none waits, else when its address has its turn. */
  take(address: string, run: () => void): void {
    if (this.#waiting.size === 0 && this.#spentMs < roundMs) this.#run(run)
    else this.#waiting.add(addressOwner(address), run)
    this.#callRound()
  }

  #callRound(): void {
    if (this.#isRoundDue) return
    this.#isRoundDue = true
    this.#clock.later(() => this.#round())
  }

  #round(): void {
    this.#isRoundDue = false
    this.#spentMs = 0
    while (this.#spentMs < roundMs) {
      const run = this.#waiting.take()
      if (run === undefined) return
      this.#run(run)
    }
    this.#callRound()
  }

  #run(run: () => void): void {
    const beganMs = this.#clock.nowMs()
    run()
    this.#spentMs += this.#clock.nowMs() - beganMs
  }
}
