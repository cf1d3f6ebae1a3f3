/** What all attackers share: their target, the words that say which variant it is, and what they count. */
import type { Target } from '../target.js'

const [json = '{}', ...rest] = process.argv.slice(2)
/** Whom this process attacks. */
export const target = JSON.parse(json) as Target
/** The rest of the command line. */
export const words: readonly string[] = rest

const reportMs = 250
const counts: Record<string, number> = {}

/** Counts something that happened. */
export function count(what: string, by = 1): void {
  counts[what] = (counts[what] ?? 0) + by
}

/** Notes how many of something there were at most. */
export function most(what: string, value: number): void {
  counts[what] = Math.max(counts[what] ?? 0, value)
}

/** One of the attacker's addresses after the other. */
export function nextAddress(): string {
  turn += 1
  return target.addresses[turn % target.addresses.length] ?? ''
}
let turn = 0

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Says what it has done so far, and ends in time even where nobody ends it. */
setInterval(() => process.stdout.write(`${JSON.stringify(counts)}\n`), reportMs)
setTimeout(() => process.exit(0), target.lastS * 1000)
process.stdout.write('{}\n')
