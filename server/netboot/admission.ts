/**
 * Decides whether a node may load kernel and stage 1: the queue, with real time. Near its turn a node's request is held back, so that
 * no place stays empty until it asks again.
 */
import { BootQueue, type QueueStats } from './boot-queue.js'

/** The answer to a node. */
export type Admission =
  | { readonly kind: 'go' }
  | { readonly kind: 'wait'; readonly position: number; readonly of: number; readonly sleepS: number }

/** A transfer in progress. */
export interface Fetch {
  /** It has ended, with all its bytes or not. */
  end(isWhole: boolean): void
}

/** Kernel and stage 1. */
const filesOfNode = 2

/** Admits nodes to load kernel and stage 1, a few at a time. */
export class BootAdmission {
  readonly #queue: BootQueue
  readonly #nowMs: () => number
  readonly #held = new Set<() => void>()

  constructor(slots: number, nowMs: () => number) {
    this.#queue = new BootQueue(slots)
    this.#nowMs = nowMs
  }

  /** `gone` aborts when the node has closed its connection. */
  async ask(node: string, gone: AbortSignal): Promise<Admission> {
    const beganMs = this.#nowMs()
    for (;;) {
      const nowMs = this.#nowMs()
      const answer = this.#queue.ask(node, nowMs)
      if (answer.kind === 'go') return answer
      const { position, of, sleepS, holdMs } = answer
      const leftMs = holdMs - (nowMs - beganMs)
      if (leftMs <= 0 || gone.aborted) {
        this.#queue.released(node, sleepS, nowMs)
        return { kind: 'wait', position, of, sleepS }
      }
      await this.#change(leftMs, gone)
    }
  }

  /** A node begins to fetch; undefined: it is not its turn. */
  fetch(node: string, file: string): Fetch | undefined {
    if (!this.#queue.fetching(node, this.#nowMs())) return undefined
    let ended = false
    return {
      end: (isWhole) => {
        if (ended) return
        ended = true
        if (this.#queue.fetched(node, file, isWhole, filesOfNode, this.#nowMs())) this.#wake()
      },
    }
  }

  stats(): QueueStats {
    return this.#queue.stats(this.#nowMs())
  }

  #wake(): void {
    for (const wake of [...this.#held]) wake()
  }

  #change(ms: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#held.delete(wake)
        gone.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#held.add(wake)
      gone.addEventListener('abort', wake)
    })
  }
}
