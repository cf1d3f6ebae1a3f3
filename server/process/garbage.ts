/** Gives memory back that V8 keeps after most of what was held is gone: an idle process does not collect by itself. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Fewer than this are not worth a collection: each of what is counted leaves some 40 KiB. */
const countMin = 256
/** A collection takes up to 100 ms: a hundredth of the time at most. */
const everyMs = 10_000

/** When garbage is collected. Pure. */
export class GarbageWatch {
  #peak = 0
  #collectedMs = Number.NEGATIVE_INFINITY
  #isSecondDue = false

  /**
   * Whether to collect now, as most of what there was is gone.
   *
   * @param count of what takes most memory now
   */
  isDue(count: number, nowMs: number): boolean {
    this.#peak = Math.max(this.#peak, count)
    if (nowMs - this.#collectedMs < everyMs) return false
    const isGone = this.#peak >= countMin && count <= this.#peak / 2
    if (!isGone && !this.#isSecondDue) return false
    // What was still being closed then is collected the second time.
    this.#isSecondDue = isGone
    this.#collectedMs = nowMs
    this.#peak = count
    return true
  }
}

/** Collects; the process stands still meanwhile. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
}
