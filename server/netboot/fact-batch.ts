/**
 * Facts of the netboot process on their way to the daemon: a message for all of a moment, and no more than a rate for each
 * source. Anybody can cause facts, and what the daemon has not taken yet waits in memory.
 */

import type { Fact } from '../../src/timeline.js'
import { TokenBucket } from '../../src/token-bucket.js'

/** Facts of this time are sent in one message, milliseconds. */
const batchMs = 20
/** More are sent at once. */
const batchMax = 256
/** 500 machines say 7,000 by DHCP while they boot, and 1,500 by TFTP. */
const rate = { perSecond: 500, burst: 8192 } as const

/** How they are sent. */
export interface FactBatchOptions {
  readonly send: (facts: readonly Fact[], leftOut: number) => void
  /** Milliseconds of a clock that never goes back. */
  readonly elapsedMs: () => number
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number
  /** Runs something after so many milliseconds. */
  readonly after: (ms: number, run: () => void) => void
}

/** See the module. */
export class FactBatch {
  readonly #options: FactBatchOptions
  readonly #rates = new Map<string, TokenBucket>()
  #facts: Fact[] = []
  #leftOut = 0
  #isDue = false

  constructor(options: FactBatchOptions) {
    this.#options = options
  }

  add(fact: Fact): void {
    const bucket = this.#rates.get(fact.source) ?? new TokenBucket(rate.perSecond, rate.burst)
    this.#rates.set(fact.source, bucket)
    const { elapsedMs, nowMs } = this.#options
    if (bucket.take(1, elapsedMs())) this.#facts.push({ ...fact, timeMs: nowMs() })
    else this.#leftOut += 1
    if (this.#facts.length >= batchMax) this.flush()
    if (this.#isDue) return
    this.#isDue = true
    this.#options.after(batchMs, () => {
      this.#isDue = false
      this.flush()
    })
  }

  /** Sends what there is. */
  flush(): void {
    if (this.#facts.length === 0 && this.#leftOut === 0) return
    this.#options.send(this.#facts, this.#leftOut)
    this.#facts = []
    this.#leftOut = 0
  }
}
