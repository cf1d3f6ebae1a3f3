/**
 * How many facts are kept: anybody can send DHCP packets and ask for scripts under invented MACs. Each machine, all machines
 * that are no nodes, and all together have a burst and a rate; what is beyond is left out, and counted. Pure.
 */
import { NODES_MAX } from '../../src/limits.js'
import { TokenBucket, TokenBuckets } from '../../src/token-bucket.js'

/**
 * A boot has about 25 facts, with a firmware that repeats itself 50. 500 machines that boot for the first time have 12,500
 * within a minute, most of them in its first seconds.
 */
const rates = {
  machine: { burst: 128, perSecond: 2 },
  strangers: { burst: 8192, perSecond: 500 },
  all: { burst: 16_384, perSecond: 1000 },
} as const

/** See the module. */
export class FactAdmission {
  readonly #machines = new TokenBuckets(NODES_MAX, rates.machine.perSecond, rates.machine.burst)
  readonly #strangers = new TokenBucket(rates.strangers.perSecond, rates.strangers.burst)
  readonly #all = new TokenBucket(rates.all.perSecond, rates.all.burst)

  /**
   * Whether one more fact is kept.
   *
   * @param machine its MAC, else its address
   * @param nowMs milliseconds of a clock that never goes back
   */
  admits(machine: string, isNode: boolean, nowMs: number): boolean {
    return (
      this.#machines.take(machine, 1, nowMs) &&
      (isNode || this.#strangers.take(1, nowMs)) &&
      this.#all.take(1, nowMs)
    )
  }
}
