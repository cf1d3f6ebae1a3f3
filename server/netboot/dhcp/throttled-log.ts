/** Counts events, says why a message is not answered, and makes log lines, the same line at most once in ten minutes. Bounded; the time is passed in. */

import type { ErrorCode } from '../../../src/errors.js'
import { DHCP_REMEMBERED_MAX } from '../../../src/limits.js'
import { type CounterName, counterNames, type DropReason } from './counters.js'
import type { Effect } from './effect.js'

/** The same line is not logged again for this long. */
const againMs = 10 * 60_000

type Tell = Extract<Effect, { kind: 'tell' }>
/** Why a machine did not get what it asked for: a counter's name without `ignored_`, and more for people. */
export interface Refusal {
  readonly reason: DropReason | 'exhausted' | 'refused'
  readonly mac?: string
  readonly why?: string
}
type Facts = Readonly<Record<string, string | number | boolean>>

/** The counters and log lines of the decisions. */
export class ThrottledLog {
  readonly counters: Record<CounterName, number> = Object.fromEntries(
    counterNames.map((name) => [name, 0]),
  ) as Record<CounterName, number>
  /** When each line was logged last; the oldest are forgotten first. */
  readonly #logged = new Map<string, number>()

  #refusal: Refusal | undefined

  count(name: CounterName): void {
    this.counters[name]++
  }

  /** A message is dropped. */
  drop(reason: DropReason): void {
    this.counters.ignored++
    this.counters[`ignored_${reason}`]++
    this.#refusal = { reason }
  }

  /** What a machine asks for is refused. */
  refuse(reason: 'exhausted' | 'refused', mac: string, why: string): void {
    this.count(reason)
    this.#refusal = { reason, mac, why }
  }

  /** Why the machine that was decided of last got nothing, or not all; told once. */
  takeRefusal(): Refusal | undefined {
    const refusal = this.#refusal
    this.#refusal = undefined
    return refusal
  }

  /** One line. */
  line(level: Tell['level'], event: string, facts: Facts, text: string): Tell {
    return { kind: 'tell', level, event, facts, text }
  }

  /** The line, unless the same was logged recently. */
  once(
    level: Tell['level'],
    event: string,
    code: ErrorCode | undefined,
    facts: Facts,
    text: string,
    nowMs: number,
  ): Tell[] {
    const last = this.#logged.get(text)
    if (last !== undefined && nowMs - last < againMs) return []
    this.#logged.delete(text)
    this.#logged.set(text, nowMs)
    if (this.#logged.size > DHCP_REMEMBERED_MAX) {
      for (const oldest of this.#logged.keys()) {
        this.#logged.delete(oldest)
        break
      }
    }
    return [this.line(level, event, code === undefined ? facts : { code, ...facts }, text)]
  }
}
