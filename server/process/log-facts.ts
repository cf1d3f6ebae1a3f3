/**
 * The facts of a log line as printable values of bounded size. Pure. Others choose parts of them: events of nodes, file
 * names, errors that quote what they could not parse.
 */
import { BootswarmError } from '../../src/errors.js'
import { printable } from '../../src/text.js'

/**
 * systemd's journal cuts a line at 48 KiB and takes the rest for a line of its own: this many characters of four bytes, and
 * what JSON adds, stay below.
 */
const charactersMax = 8 * 1024
/** Characters of one text, members of one object or list, and levels below the line itself. */
const textLengthMax = 1024
const membersMax = 64
const depthMax = 4

/** What the log itself writes on each line. */
const ownNames = new Set(['level', 'time', 'msg', 'part'])

/** What stands for what is left out. */
const leftOut = '…'

interface Budget {
  characters: number
}

/** The facts of one line, in their order. A name that the log itself uses gets an underscore. */
export function printableFacts(facts: object): Record<string, unknown> {
  const budget = { characters: charactersMax }
  const shown = members(Object.entries(facts), depthMax, budget)
  return Object.fromEntries(
    Object.entries(shown).map(([name, value]) => [ownNames.has(name) ? `_${name}` : name, value]),
  )
}

function members(entries: readonly [string, unknown][], depth: number, budget: Budget): object {
  const kept = entries.filter(([, value]) => value !== undefined && typeof value !== 'function')
  const shown: [string, unknown][] = []
  for (const [name, value] of kept.slice(0, membersMax)) {
    if (budget.characters <= 0) break
    shown.push([text(name, budget), shownValue(value, depth, budget)])
  }
  if (shown.length < kept.length) shown.push([leftOut, kept.length - shown.length])
  return Object.fromEntries(shown)
}

function shownValue(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === 'string') return text(value, budget)
  if (typeof value === 'bigint' || typeof value === 'symbol') return text(String(value), budget)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0 || budget.characters <= 0) return leftOut
  if (value instanceof Error) return members(Object.entries(errorFacts(value)), depth - 1, budget)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Date || value instanceof URL) return text(String(value.toJSON()), budget)
  if (value instanceof Map)
    return members(
      [...value].map(([key, of]) => [String(key), of]),
      depth - 1,
      budget,
    )
  const list = Array.isArray(value) ? value : value instanceof Set ? [...value] : undefined
  if (list === undefined) return members(Object.entries(value), depth - 1, budget)
  const shown: unknown[] = []
  for (const item of list.slice(0, membersMax)) {
    if (budget.characters <= 0) break
    shown.push(shownValue(item, depth - 1, budget))
  }
  if (shown.length < list.length) shown.push(leftOut)
  return shown
}

function text(value: string, budget: Budget): string {
  const shown = printable(value, Math.max(0, Math.min(textLengthMax, budget.characters)))
  // Numbers and punctuation are not counted: each takes a few bytes, and their count is bounded.
  budget.characters -= Math.max(1, shown.length)
  return shown
}

/** An error as it is logged: the code of ours, the stack only of what was not expected, without the message that it begins with. */
function errorFacts(error: Error): object {
  if (error instanceof BootswarmError) return { code: error.code, message: error.message }
  const frames = error.stack?.split('\n').filter((line) => /^ +at /.test(line)) ?? []
  return { message: error.message, stack: frames.map((line) => line.trim()) }
}
