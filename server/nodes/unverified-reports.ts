/**
 * Unverified reports: a node that does not accept the server's certificate says over plain HTTP that it did not boot. Anybody
 * on the network can send one, so it changes no state and is not stored; a bounded number of them are logged.
 */
import type { NodeLog } from './event-log.js'
import { LineLimit } from './line-limit.js'

/** A line for each name and minute, and so many in all. */
const limits = { windowMs: 60_000, nodeMax: 1, allMax: 20 } as const

/** Logs unverified reports, at a limited rate. */
export class UnverifiedReports {
  readonly #log: Pick<NodeLog, 'warn'>
  readonly #nowMs: () => number
  readonly #limit = new LineLimit(limits)

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
    const suppressed = this.#limit.takeSuppressed(nowMs)
    if (suppressed > 0) {
      this.#log.warn(
        { event: 'node.unverified-report', suppressed },
        `${suppressed} more reports came over plain HTTP`,
      )
    }
    if (!this.#limit.admits([{ name: node, max: limits.nodeMax }], address, nowMs)) return
    const { code, message } = failure
    this.#log.warn(
      { event: 'node.unverified-report', node, address, code, message },
      `${node} at ${address} says over plain HTTP, which proves nothing, that it did not boot: ${code}: ${message}`,
    )
  }
}
