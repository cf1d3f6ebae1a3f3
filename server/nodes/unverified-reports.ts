/**
 * Unverified reports: a node that does not accept the server's certificate says over plain HTTP that it did not boot. Anybody
 * on the network can send one, so it changes no state and is not stored; a bounded number of them are logged.
 */
import type { NodeLog } from './event-log.js'

/** At most so many lines within a window, and one for each name. */
const limits = { windowMs: 60_000, linesMax: 20 } as const

/** Logs unverified reports, at a limited rate. */
export class UnverifiedReports {
  readonly #log: Pick<NodeLog, 'warn'>
  readonly #nowMs: () => number
  #windowMs = Number.NEGATIVE_INFINITY
  #logged = new Set<string>()
  #suppressed = 0

  constructor(log: Pick<NodeLog, 'warn'>, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** Logs that the node did not boot, as it says. */
  received(
    node: string,
    address: string,
    failure: { readonly code: string; readonly message: string },
  ): void {
    const nowMs = this.#nowMs()
    if (nowMs - this.#windowMs >= limits.windowMs) this.#begin(nowMs)
    if (this.#logged.has(node)) return
    if (this.#logged.size >= limits.linesMax) {
      this.#suppressed += 1
      return
    }
    this.#logged.add(node)
    const { code, message } = failure
    this.#log.warn(
      { event: 'node.unverified-report', node, address, code, message },
      `${node} at ${address} says over plain HTTP, which proves nothing, that it did not boot: ${code}: ${message}`,
    )
  }

  #begin(nowMs: number): void {
    const suppressed = this.#suppressed
    this.#windowMs = nowMs
    this.#logged = new Set()
    this.#suppressed = 0
    if (suppressed === 0) return
    this.#log.warn(
      { event: 'node.unverified-report', suppressed },
      `${suppressed} more reports came over plain HTTP`,
    )
  }
}
