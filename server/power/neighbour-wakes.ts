/**
 * Machines that booted nodes of their racks shall wake, since no broadcast of this server reaches them. A node hears of it in the
 * answer to its next report; the first one of the rack takes it. Whether a machine wakes is seen when it boots.
 */

/**
 * Seeds report every half an hour, and up to a quarter later (SEED_REPORT_MAX_S); of a rack two or more do. Milliseconds, with time for
 * a server or a link that was away.
 */
const waitMs = 45 * 60_000
/** MACs in one answer: what an agent takes (core/wake.rs). */
const macsMax = 16

/** What they are made with. */
export interface NeighbourWakesOptions {
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
}

interface Wake {
  readonly macs: readonly string[]
  taken(): void
}

/** See the module. */
export class NeighbourWakes {
  readonly #after: NeighbourWakesOptions['after']
  readonly #waiting = new Map<string, Set<Wake>>()

  constructor({ after }: NeighbourWakesOptions) {
    this.#after = after
  }

  /**
   * Resolves when a node of the rack has been told to wake this machine.
   *
   * @throws Error if none has reported in time, or `ended` aborts
   */
  ask(rack: string, macs: readonly string[], ended: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = () => {
        callOff()
        ended.removeEventListener('abort', abort)
        const others = this.#waiting.get(rack)
        others?.delete(wake)
        if (others?.size === 0) this.#waiting.delete(rack)
      }
      const fail = (why: string) => {
        forget()
        reject(new Error(why))
      }
      const wake: Wake = {
        macs,
        taken: () => {
          forget()
          resolve()
        },
      }
      const abort = () => fail('the server ended')
      const callOff = this.#after(waitMs, () =>
        fail(`no node of rack ${rack} has reported that could wake it`),
      )
      ended.addEventListener('abort', abort, { once: true })
      this.#waiting.set(rack, (this.#waiting.get(rack) ?? new Set()).add(wake))
    })
  }

  /** Whom a node of this rack shall wake now, which is told to no other one. */
  take(rack: string): string[] {
    const macs: string[] = []
    for (const wake of [...(this.#waiting.get(rack) ?? [])]) {
      if (macs.length + wake.macs.length > macsMax) break
      macs.push(...wake.macs)
      wake.taken()
    }
    return macs
  }
}
