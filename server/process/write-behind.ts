/**
 * Writes changes as they come, and tries again while the database fails. Whoever makes a change waits for none of it: what counts is in
 * memory. Bounded: the oldest change that is not written yet goes first.
 */
import type { Failures } from './failures.js'

/** After a failure, milliseconds: doubles from the first to the last. */
const retryMs = { first: 500, last: 15_000 } as const

/** What it is made of. */
export interface WriteBehindOptions<Change> {
  /** Its name where it fails. */
  readonly part: string
  /** What a change is about: a later one of the same takes its place. */
  readonly keyOf: (change: Change) => number | string
  /** Changes that may wait. */
  readonly max: number
  /** One transaction. */
  readonly save: (changes: readonly Change[]) => Promise<void>
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Told of each transaction. */
  readonly failures: Pick<Failures, 'failed' | 'worked'>
}

/** See the module. */
export class WriteBehind<Change> {
  readonly #options: WriteBehindOptions<Change>
  readonly #unsaved = new Map<number | string, Change>()
  #saving: Promise<void> | undefined
  #callOff: (() => void) | undefined
  #retryMs = 0
  #isStopped = false

  constructor(options: WriteBehindOptions<Change>) {
    this.#options = options
  }

  /** What is not written yet, oldest first. */
  unsaved(): IterableIterator<Change> {
    return this.#unsaved.values()
  }

  keep(changes: readonly Change[]): void {
    for (const change of changes) {
      const key = this.#options.keyOf(change)
      // Taken out and put in again: the oldest stands first.
      this.#unsaved.delete(key)
      this.#unsaved.set(key, change)
      if (this.#unsaved.size > this.#options.max) {
        const [oldest] = this.#unsaved.keys()
        if (oldest !== undefined) this.#unsaved.delete(oldest)
      }
    }
    this.#next()
  }

  /** Writes the rest, once. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#callOff?.()
    await this.#saving
    if (this.#unsaved.size > 0 && this.#retryMs === 0) await this.#save()
  }

  #next(): void {
    const isBusy = this.#saving !== undefined || this.#callOff !== undefined
    if (isBusy || this.#isStopped || this.#unsaved.size === 0) return
    const save = () => {
      this.#callOff = undefined
      this.#saving = this.#save().finally(() => {
        this.#saving = undefined
        this.#next()
      })
    }
    if (this.#retryMs === 0) save()
    else this.#callOff = this.#options.after(this.#retryMs, save)
  }

  async #save(): Promise<void> {
    const { part, keyOf, save, failures } = this.#options
    const changes = [...this.#unsaved.values()]
    try {
      await save(changes)
    } catch (error) {
      failures.failed(part, error)
      this.#retryMs = Math.min(retryMs.last, Math.max(retryMs.first, this.#retryMs * 2))
      return
    }
    // What has changed meanwhile is written next.
    for (const change of changes) {
      const key = keyOf(change)
      if (this.#unsaved.get(key) === change) this.#unsaved.delete(key)
    }
    failures.worked(part)
    this.#retryMs = 0
  }
}
