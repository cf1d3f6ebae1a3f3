/**
 * Hostlists: short names for many nodes, read and written. `rig[001-240]`, `a,b[1-3,7]`, several brackets in a name;
 * a range keeps the zeros of its first number. Everything is bounded.
 */

import { BootswarmError } from './errors.js'
import { HOSTLIST_LENGTH_MAX, HOSTLIST_NAMES_MAX } from './limits.js'
import { isNodeId, normalizeMac } from './node-id.js'

/**
 * The names of a hostlist, in its order, each once, as node identities (MAC addresses normalized).
 *
 * @throws BootswarmError CONFIG_INVALID
 */
export function expandHostlist(text: string): string[] {
  if (text.length > HOSTLIST_LENGTH_MAX) throw invalid(text, `longer than ${HOSTLIST_LENGTH_MAX} characters`)
  const names = new Set<string>()
  for (const part of splitOutsideBrackets(text)) {
    for (const raw of expandPart(part.trim().toLowerCase(), text)) {
      const name = normalizeMac(raw) ?? raw
      if (!isNodeId(name)) throw invalid(text, `${JSON.stringify(name.slice(0, 80))} is no node identity`)
      names.add(name)
      if (names.size > HOSTLIST_NAMES_MAX) throw tooMany(text)
    }
  }
  return [...names]
}

/** A hostlist of these identities, in rising order: `rig[001-240],52:54:00:00:00:01`. Only their last number becomes a range. */
export function foldHostlist(names: Iterable<string>): string {
  const byFrame = new Map<string, Numbered[]>()
  const parts: { readonly sort: string; readonly text: string }[] = []
  for (const name of new Set(names)) {
    // What a range can hold; the digits of a MAC address are no numbers.
    const match = normalizeMac(name) === undefined ? /^(.*?)([0-9]{1,9})([^0-9]*)$/.exec(name) : null
    if (match === null) {
      parts.push({ sort: name, text: name })
      continue
    }
    const [, before = '', digits = '', after = ''] = match
    const frame = `${before}[${after}`
    const numbered = byFrame.get(frame) ?? []
    byFrame.set(frame, numbered)
    numbered.push({ before, digits, after })
  }
  for (const numbered of byFrame.values()) {
    const [first] = numbered
    const { before = '', after = '' } = first ?? {}
    const ranges = rangesOf(numbered.map(({ digits }) => digits))
    const [only = ''] = ranges
    const isOne = ranges.length === 1 && !only.includes('-')
    parts.push({
      sort: `${before}${only}`,
      text: `${before}${isOne ? only : `[${ranges.join(',')}]`}${after}`,
    })
  }
  return parts
    .sort((a, b) => (a.sort < b.sort ? -1 : 1))
    .map(({ text }) => text)
    .join(',')
}

/** A name around its last number. */
interface Numbered {
  readonly before: string
  readonly digits: string
  readonly after: string
}

/** A range goes on as long as counting up from its first number writes the next one. */
function rangesOf(numbers: readonly string[]): string[] {
  const sorted = [...numbers].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  const ranges: { readonly first: string; last: string }[] = []
  for (const digits of sorted) {
    const range = ranges.at(-1)
    const next = range && String(Number(range.last) + 1).padStart(range.first.length, '0')
    if (range !== undefined && next === digits) range.last = digits
    else ranges.push({ first: digits, last: digits })
  }
  return ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`))
}

function splitOutsideBrackets(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === '[') depth++
    else if (c === ']') depth--
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
    if (depth < 0 || depth > 1) throw invalid(text, 'brackets do not match')
  }
  if (depth !== 0) throw invalid(text, 'brackets do not match')
  parts.push(text.slice(start))
  return parts
}

function expandPart(part: string, whole: string): string[] {
  if (part === '') throw invalid(whole, 'an empty name')
  let names = ['']
  for (const token of part.split(/(\[[^\]]*\])/)) {
    const pieces = token.startsWith('[') ? expandRanges(token.slice(1, -1), whole) : [token]
    if (names.length * pieces.length > HOSTLIST_NAMES_MAX) throw tooMany(whole)
    names = names.flatMap((name) => pieces.map((piece) => name + piece))
  }
  return names
}

function expandRanges(text: string, whole: string): string[] {
  const numbers: string[] = []
  for (const range of text.split(',')) {
    const match = /^([0-9]{1,9})(?:-([0-9]{1,9}))?$/.exec(range.trim())
    if (!match?.[1]) throw invalid(whole, `${JSON.stringify(range.slice(0, 40))} is no range such as 001-240`)
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last < first) throw invalid(whole, `the range ${range.trim()} runs backwards`)
    if (numbers.length + last - first + 1 > HOSTLIST_NAMES_MAX) throw tooMany(whole)
    for (let n = first; n <= last; n++) numbers.push(String(n).padStart(match[1].length, '0'))
  }
  return numbers
}

function tooMany(text: string): BootswarmError {
  return invalid(text, `more than ${HOSTLIST_NAMES_MAX} names`)
}

function invalid(text: string, why: string): BootswarmError {
  return new BootswarmError('CONFIG_INVALID', `the hostlist ${JSON.stringify(text.slice(0, 80))}: ${why}`)
}
