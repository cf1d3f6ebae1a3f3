/**
 * How many facts are kept: anybody can send DHCP packets and ask for scripts under invented MACs. Each machine, all machines
 * that are no nodes, and all together have a burst and a rate; what is beyond is left out, and counted. Pure.
 */
import { FairRate } from '../../src/fair-rate.js'
import { NODES_MAX } from '../../src/limits.js'
import { TokenBuckets } from '../../src/token-bucket.js'

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
  readonly #strangers = new FairRate(rates.strangers)
  readonly #all = new FairRate(rates.all)

  /**
   * Whether one more fact is kept.
   *
   * @param machine its MAC, else its address
   * @param owner whose address it has, as far as that is known: MACs can be invented
   * @param nowMs milliseconds of a clock that never goes back
   */
  admits(machine: string, owner: string | undefined, isNode: boolean, nowMs: number): boolean {
    const whose = owner ?? machine
    return (
      this.#machines.take(machine, 1, nowMs) &&
      (isNode || this.#strangers.take(whose, nowMs)) &&
      this.#all.take(whose, nowMs)
    )
  }
}
