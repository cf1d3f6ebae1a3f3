/** Counts what happens and says it, each thing of a machine once in a while. Bounded, without a clock of its own. */

import type { ErrorCode } from '../../../src/errors.js'
import { DHCP_REMEMBERED_MAX } from '../../../src/limits.js'
import { type CounterName, counterNames, type DropReason } from './counters.js'
import type { Effect } from './effect.js'

/** The same line of the same machine is not said again for this long. */
const againMs = 10 * 60_000

type Tell = Extract<Effect, { kind: 'tell' }>
type Facts = Readonly<Record<string, string | number | boolean>>

/** What a decision counts and says. */
export class ThrottledLog {
  readonly counters: Record<CounterName, number> = Object.fromEntries(
    counterNames.map((name) => [name, 0]),
  ) as Record<CounterName, number>
  /** When each line was said last; the oldest go first. */
  readonly #said = new Map<string, number>()

  count(name: CounterName): void {
    this.counters[name]++
  }

  /** A message is dropped. */
  drop(reason: DropReason): void {
    this.counters.ignored++
    this.counters[`ignored_${reason}`]++
  }

  /** One line. */
  line(level: Tell['level'], event: string, facts: Facts, text: string): Tell {
    return { kind: 'tell', level, event, facts, text }
  }

  /** The line, unless the same was said lately. */
  once(
    level: Tell['level'],
    event: string,
    code: ErrorCode | undefined,
    facts: Facts,
    text: string,
    nowMs: number,
  ): Tell[] {
    const last = this.#said.get(text)
    if (last !== undefined && nowMs - last < againMs) return []
    this.#said.delete(text)
    this.#said.set(text, nowMs)
    if (this.#said.size > DHCP_REMEMBERED_MAX) {
      for (const oldest of this.#said.keys()) {
        this.#said.delete(oldest)
        break
      }
    }
    return [this.line(level, event, code === undefined ? facts : { code, ...facts }, text)]
  }
}
