/**
 * Facts of the netboot process on their way to the daemon: a message for all of a moment, and no more than a rate for each
 * source, which machines share. Anybody can cause facts, and what the daemon has not taken yet waits in memory.
 */

import { FairRate } from '../../src/fair-rate.js'
import type { Fact } from '../../src/timeline.js'

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
  readonly #rates = new Map<string, FairRate>()
  #facts: Fact[] = []
  #leftOut = 0
  #isDue = false

  constructor(options: FactBatchOptions) {
    this.#options = options
  }

  add(fact: Fact): void {
    const shared = this.#rates.get(fact.source) ?? new FairRate(rate)
    this.#rates.set(fact.source, shared)
    const { elapsedMs, nowMs } = this.#options
    if (shared.take(fact.mac ?? fact.address ?? '', elapsedMs()))
      this.#facts.push({ ...fact, timeMs: nowMs() })
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
