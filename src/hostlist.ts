/**
 * Hostlists: short names for many nodes. `rig[001-240]`, `a,b[1-3,7]`, several brackets in a name;
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
