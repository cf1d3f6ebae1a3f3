/**
 * What comes over plain HTTP under a node's name: that it cannot believe our certificate. Anybody on the network can send it,
 * so it changes no state and is stored nowhere; a bounded number of lines of it go to the log.
 */
import type { NodeLog } from './event-log.js'

/** At most so many lines within a window, and one for each name. */
const limits = { windowMs: 60_000, linesMax: 20 } as const

/** Logs unverified reports, at a limited rate. */
export class Hearsay {
  readonly #log: Pick<NodeLog, 'warn'>
  readonly #nowMs: () => number
  #windowMs = Number.NEGATIVE_INFINITY
  #said = new Set<string>()
  #unsaid = 0

  constructor(log: Pick<NodeLog, 'warn'>, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** Hears that the node did not boot. */
  heard(node: string, address: string, failure: { readonly code: string; readonly message: string }): void {
    const nowMs = this.#nowMs()
    if (nowMs - this.#windowMs >= limits.windowMs) this.#begin(nowMs)
    if (this.#said.has(node)) return
    if (this.#said.size >= limits.linesMax) {
      this.#unsaid += 1
      return
    }
    this.#said.add(node)
    const { code, message } = failure
    this.#log.warn(
      { event: 'node.hearsay', node, address, code, message },
      `${node} at ${address} says over plain HTTP, which proves nothing, that it did not boot: ${code}: ${message}`,
    )
  }

  #begin(nowMs: number): void {
    const unsaid = this.#unsaid
    this.#windowMs = nowMs
    this.#said = new Set()
    this.#unsaid = 0
    if (unsaid === 0) return
    this.#log.warn({ event: 'node.hearsay', unsaid }, `${unsaid} more reports came over plain HTTP`)
  }
}
