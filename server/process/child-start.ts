/** Starts a child process and waits until it reports that it is ready, or why it is not. */

import type { Child } from './child.js'

/** How long a child may take: it loads its code, opens its ports, and is patient with those of the one before it. */
const startMs = 20_000

/** One start; the owner passes on the child's messages. */
export class ChildStart {
  #settle: ((error?: Error) => void) | undefined

  /** Somebody waits for {@link succeeded} or {@link failed}. */
  get isUnderWay(): boolean {
    return this.#settle !== undefined
  }

  /**
   * Starts the child; it is stopped again where it cannot work.
   *
   * @throws the error of {@link failed}, or `silent` if the child reports nothing in time
   */
  async run(
    child: Pick<Child<object, unknown>, 'start' | 'stop'>,
    silent: Error,
    limitMs = startMs,
  ): Promise<void> {
    const answer = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error))
    })
    const timer = setTimeout(() => this.failed(silent), limitMs)
    child.start()
    try {
      await answer
    } catch (error) {
      await child.stop()
      throw error
    } finally {
      clearTimeout(timer)
      this.#settle = undefined
    }
  }

  succeeded(): void {
    this.#settle?.()
  }

  failed(error: Error): void {
    this.#settle?.(error)
  }
}
