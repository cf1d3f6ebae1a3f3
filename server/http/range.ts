/**
 * Byte ranges of RFC 9110, section 14: one range, which is all that a boot needs. Several ranges in one
 * request are answered with the whole file, as the RFC allows. No I/O.
 */

/** What a `Range` header asks of a file: all of it, one part (both ends inclusive), or nothing that exists. */
export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' }

const whole: RangeAnswer = { kind: 'whole' }
const unsatisfiable: RangeAnswer = { kind: 'unsatisfiable' }

/** Longest `Range` header looked at, bytes; a longer one is ignored like any other that we do not read. */
const headerBytesMax = 128

/**
 * Reads a `Range` header against a file of `sizeBytes`. A header that is missing, of another unit, malformed or
 * with several ranges counts as absent (RFC 9110, 14.2); one that begins behind the end is unsatisfiable.
 */
export function parseRange(header: string | undefined, sizeBytes: number): RangeAnswer {
  if (header === undefined || header.length > headerBytesMax) return whole
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header)
  if (match === null) return whole
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return whole
    const suffixBytes = Math.min(Number(last), sizeBytes)
    return suffixBytes === 0
      ? unsatisfiable
      : { kind: 'part', start: sizeBytes - suffixBytes, end: sizeBytes - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return whole
  if (start >= sizeBytes) return unsatisfiable
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  return { kind: 'part', start, end }
}
