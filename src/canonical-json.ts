/**
 * Canonical JSON as docs/manifest.md restricts RFC 8785: sorted ASCII member names, no white space,
 * integers from 0 to 2^53-1 only, no null, no floats. The same value always gives the same bytes.
 */

import { BootswarmError } from './errors.js'
import { JSON_DEPTH_MAX } from './limits.js'

/** What canonical JSON can hold. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | readonly CanonicalValue[]
  | { readonly [name: string]: CanonicalValue }

/**
 * The canonical bytes of a value.
 *
 * @throws BootswarmError MANIFEST_MALFORMED for what canonical JSON cannot hold: null, undefined,
 *   fractions, negative or unsafe integers, lone surrogates, member names beyond ASCII, too much nesting.
 */
export function encodeCanonicalJson(value: unknown): Uint8Array {
  const parts: string[] = []
  write(value, '', 0, parts)
  return new TextEncoder().encode(parts.join(''))
}

/**
 * Parses bytes and accepts them only if they are the canonical form of what they say.
 * Duplicate members, other spellings of numbers and escapes all show as a difference.
 *
 * @throws BootswarmError MANIFEST_MALFORMED
 */
export function parseCanonicalJson(bytes: Uint8Array): CanonicalValue {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw malformed(`not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
  const again = encodeCanonicalJson(value)
  if (!Buffer.from(again.buffer, again.byteOffset, again.length).equals(bytes)) {
    throw malformed('the JSON is not canonical (white space, order, duplicates, escapes or numbers)')
  }
  return value as CanonicalValue
}

function write(value: unknown, where: string, depth: number, parts: string[]): void {
  if (depth > JSON_DEPTH_MAX) throw malformed(`nested deeper than ${JSON_DEPTH_MAX} at ${where.slice(0, 80)}`)
  if (typeof value === 'string') {
    parts.push(quote(value, where))
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0)) {
      throw malformed(`${place(where)} is ${value}, not an integer from 0 to 2^53-1`)
    }
    parts.push(String(value))
  } else if (typeof value === 'boolean') {
    parts.push(value ? 'true' : 'false')
  } else if (Array.isArray(value)) {
    parts.push('[')
    value.forEach((item: unknown, i) => {
      if (i > 0) parts.push(',')
      write(item, `${where}[${i}]`, depth + 1, parts)
    })
    parts.push(']')
  } else if (typeof value === 'object' && value !== null) {
    writeObject(value as Record<string, unknown>, where, depth, parts)
  } else {
    throw malformed(`${place(where)} is ${value === null ? 'null' : typeof value}`)
  }
}

function writeObject(value: Record<string, unknown>, where: string, depth: number, parts: string[]): void {
  // The names are ASCII, so the default order (UTF-16 units) is that of the bytes.
  const names = Object.keys(value).sort()
  parts.push('{')
  names.forEach((name, i) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is meant
    if (!/^[\x00-\x7f]*$/.test(name)) throw malformed(`a member name beyond ASCII in ${place(where)}`)
    if (i > 0) parts.push(',')
    parts.push(quote(name, where), ':')
    write(value[name], where === '' ? name : `${where}.${name}`, depth + 1, parts)
  })
  parts.push('}')
}

/** JSON.stringify escapes exactly what canonical JSON wants, and lone surrogates, which cannot be UTF-8. */
function quote(text: string, where: string): string {
  if (/\p{Surrogate}/u.test(text)) throw malformed(`${place(where)} holds half a surrogate pair`)
  return JSON.stringify(text)
}

function place(where: string): string {
  return where === '' ? 'the document' : where.slice(0, 80)
}

function malformed(message: string, cause?: unknown): BootswarmError {
  return new BootswarmError('MANIFEST_MALFORMED', message, cause === undefined ? undefined : { cause })
}
