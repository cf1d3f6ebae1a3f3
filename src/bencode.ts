/**
 * Bencode (BEP 3), strict and bounded: keys ascending and unique unless it is said otherwise, integers without leading zeros,
 * nothing after the value. Strings are bytes; dictionary keys are handed over as binary (latin1) text.
 */

import { BootswarmError } from './errors.js'
import { BENCODE_BYTES_MAX, BENCODE_DEPTH_MAX, BENCODE_VALUES_MAX } from './limits.js'

/** A decoded value. Integers are 64-bit signed; those that a number cannot hold exactly come as bigint. */
export type BencodeValue = number | bigint | Uint8Array | BencodeValue[] | BencodeDict
/** A decoded dictionary; the keys' characters are bytes. */
export type BencodeDict = Map<string, BencodeValue>
/** What can be encoded: text is written as UTF-8, objects as dictionaries in the order of their keys' bytes. */
export type BencodeInput =
  | number
  | bigint
  | string
  | Uint8Array
  | readonly BencodeInput[]
  | ReadonlyMap<string, BencodeInput>
  | { readonly [key: string]: BencodeInput }

/** Bounds of one decoding; the defaults are those of limits.ts. */
export interface BencodeBounds {
  readonly bytesMax?: number
  readonly depthMax?: number
  readonly valuesMax?: number
  /** Keys need not ascend, and of two that are equal the last one counts: some stock clients do not sort what they send. */
  readonly anyOrder?: boolean
}

/**
 * Decodes one whole document.
 *
 * @throws BootswarmError BENCODE_MALFORMED, with the offset
 */
export function decodeBencode(bytes: Uint8Array, bounds: BencodeBounds = {}): BencodeValue {
  const bytesMax = bounds.bytesMax ?? BENCODE_BYTES_MAX
  if (bytes.length > bytesMax) throw malformed(`${bytes.length} bytes, at most ${bytesMax} are read`, 0)
  const reader = new Reader(
    bytes,
    bounds.depthMax ?? BENCODE_DEPTH_MAX,
    bounds.valuesMax ?? BENCODE_VALUES_MAX,
    bounds.anyOrder ?? false,
  )
  const value = reader.value(0)
  if (reader.offset !== bytes.length) throw malformed('bytes after the end', reader.offset)
  return value
}

/** Encodes a value; maps' keys are binary text, objects' keys ASCII. */
export function encodeBencode(value: BencodeInput): Uint8Array {
  const parts: Buffer[] = []
  write(value, parts)
  return Buffer.concat(parts)
}

class Reader {
  offset = 0
  private values = 0
  private readonly bytes: Buffer
  private readonly depthMax: number
  private readonly valuesMax: number
  private readonly anyOrder: boolean

  constructor(bytes: Uint8Array, depthMax: number, valuesMax: number, anyOrder: boolean) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.depthMax = depthMax
    this.valuesMax = valuesMax
    this.anyOrder = anyOrder
  }

  value(depth: number): BencodeValue {
    if (++this.values > this.valuesMax) throw malformed(`more than ${this.valuesMax} values`, this.offset)
    const first = this.bytes[this.offset]
    if (first === 0x69) return this.integer()
    if (first === 0x6c || first === 0x64) {
      if (depth >= this.depthMax) throw malformed(`nested deeper than ${this.depthMax}`, this.offset)
      this.offset++
      return first === 0x6c ? this.list(depth) : this.dict(depth)
    }
    return this.string()
  }

  private list(depth: number): BencodeValue[] {
    const items: BencodeValue[] = []
    while (!this.end()) items.push(this.value(depth + 1))
    return items
  }

  private dict(depth: number): BencodeDict {
    const dict: BencodeDict = new Map()
    let last: string | undefined
    while (!this.end()) {
      const at = this.offset
      const raw = this.string()
      const key = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1')
      if (!this.anyOrder && last !== undefined && key <= last) throw malformed('keys not ascending', at)
      last = key
      dict.set(key, this.value(depth + 1))
    }
    return dict
  }

  private end(): boolean {
    if (this.bytes[this.offset] !== 0x65) return false
    this.offset++
    return true
  }

  private integer(): number | bigint {
    const at = this.offset
    // A sign, 19 digits and the end; looking no further keeps a long run of digits cheap.
    const match = /^(0|-?[1-9][0-9]{0,18})e/.exec(this.bytes.toString('latin1', at + 1, at + 22))
    if (!match?.[1]) throw malformed('not an integer', at)
    this.offset = at + 1 + match[0].length
    const value = Number(match[1])
    if (Number.isSafeInteger(value)) return value
    const exact = BigInt(match[1])
    if (BigInt.asIntN(64, exact) !== exact) throw malformed('an integer beyond 64 bits', at)
    return exact
  }

  private string(): Uint8Array {
    const at = this.offset
    const match = /^(0|[1-9][0-9]{0,8}):/.exec(this.bytes.toString('latin1', at, at + 10))
    if (!match) throw malformed(at >= this.bytes.length ? 'cut short' : 'not a value', at)
    const start = at + match[0].length
    const end = start + Number(match[1])
    if (end > this.bytes.length) throw malformed('a string that reaches past the end', at)
    this.offset = end
    return this.bytes.subarray(start, end)
  }
}

function write(value: BencodeInput, parts: Buffer[]): void {
  if (typeof value === 'bigint') {
    parts.push(Buffer.from(`i${value}e`))
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw malformed(`${value} is no safe integer`, 0)
    parts.push(Buffer.from(`i${value}e`))
  } else if (typeof value === 'string') {
    writeString(Buffer.from(value), parts)
  } else if (value instanceof Uint8Array) {
    writeString(Buffer.from(value.buffer, value.byteOffset, value.length), parts)
  } else if (Array.isArray(value)) {
    parts.push(Buffer.from('l'))
    for (const item of value as readonly BencodeInput[]) write(item, parts)
    parts.push(Buffer.from('e'))
  } else {
    const entries = value instanceof Map ? [...value.entries()] : Object.entries(value)
    // Binary text compares as its bytes do.
    entries.sort(([a], [b]) => (a < b ? -1 : 1))
    parts.push(Buffer.from('d'))
    for (const [key, item] of entries as [string, BencodeInput][]) {
      writeString(Buffer.from(key, 'latin1'), parts)
      write(item, parts)
    }
    parts.push(Buffer.from('e'))
  }
}

function writeString(bytes: Buffer, parts: Buffer[]): void {
  parts.push(Buffer.from(`${bytes.length}:`), bytes)
}

function malformed(message: string, offset: number): BootswarmError {
  return new BootswarmError('BENCODE_MALFORMED', `${message} (at byte ${offset})`)
}
