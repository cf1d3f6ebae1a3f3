/**
 * Whose request is handled next, when more come than this process can handle at once: one of each address in turn. Without it an
 * address with hundreds of connections would have hundreds of requests handled before the next of another.
 */
import { AddressQueues } from '../../src/address-queues.js'
import { addressOwner } from '../../src/net.js'

/** Time for requests before the loop looks at its sockets again, milliseconds. */
const roundMs = 2
/** Requests that have waited and are handled before that, each in a step of its own. */
const stepsMax = 32

/** What it needs of the process. */
export interface TurnsClock {
  readonly nowMs: () => number
  /** Runs something after the loop has looked at its sockets. Promises are done between two of those. */
  readonly later: (run: () => void) => void
}

/** Runs the requests of all listeners. */
export class RequestTurns {
  readonly #clock: TurnsClock
  readonly #waiting = new AddressQueues<() => void>()
  /** When the first request began since the loop has looked at its sockets. */
  #beganMs: number | undefined
  /** Counts the looks. */
  #round = 0
  #stepsDue = 0

  constructor(clock: TurnsClock) {
    this.#clock = clock
  }

  /** Runs a request of a client now, if there is time for it and none waits, else when its address has its turn. */
  take(address: string, run: () => void): void {
    if (this.#waiting.size === 0 && this.#hasTime()) run()
    else this.#waiting.add(addressOwner(address), run)
    this.#callSteps()
  }

  /** By the clock, not by what {@link take} takes: a request is parsed there, and answered by promises. */
  #hasTime(): boolean {
    const nowMs = this.#clock.nowMs()
    this.#beganMs ??= nowMs
    return nowMs - this.#beganMs < roundMs
  }

  #callSteps(): void {
    const round = this.#round
    while (this.#stepsDue < Math.min(this.#waiting.size + 1, stepsMax)) {
      this.#stepsDue += 1
      this.#clock.later(() => this.#step(round))
    }
  }

  /** @param round in which it was called for: of those the first comes after a look at the sockets */
  #step(round: number): void {
    this.#stepsDue -= 1
    if (round === this.#round) {
      this.#round += 1
      this.#beganMs = undefined
    }
    if (this.#waiting.size > 0 && this.#hasTime()) this.#waiting.take()?.()
    if (this.#beganMs !== undefined) this.#callSteps()
  }
}
