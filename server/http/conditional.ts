/**
 * Conditional requests of RFC 9110, section 13, for files that never change under their address.
 * Validators are strong: an ETag is the SHA-256 of the file. No I/O.
 */

/** What a file is recognised by. */
export interface Validators {
  /** Strong entity tag with its quotes. */
  readonly etag: string
  /** Seconds since 1970. */
  readonly lastModifiedS: number
}

/** The request headers that matter here. */
export interface ConditionalHeaders {
  readonly 'if-match'?: string | undefined
  readonly 'if-none-match'?: string | undefined
  readonly 'if-modified-since'?: string | undefined
  readonly 'if-unmodified-since'?: string | undefined
  readonly 'if-range'?: string | undefined
}

/** `proceed` with the request, answer `not-modified` (304) or `failed` (412). */
export type Precondition = 'proceed' | 'not-modified' | 'failed'

/** Evaluates the preconditions of a GET or HEAD in the order of RFC 9110, 13.2.2. */
export function evaluatePreconditions(headers: ConditionalHeaders, validators: Validators): Precondition {
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined) {
    if (!listHas(ifMatch, validators.etag, false)) return 'failed'
  } else {
    const unmodifiedSinceS = httpDateS(headers['if-unmodified-since'])
    if (unmodifiedSinceS !== undefined && validators.lastModifiedS > unmodifiedSinceS) return 'failed'
  }
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) {
    return listHas(ifNoneMatch, validators.etag, true) ? 'not-modified' : 'proceed'
  }
  const modifiedSinceS = httpDateS(headers['if-modified-since'])
  if (modifiedSinceS !== undefined && validators.lastModifiedS <= modifiedSinceS) return 'not-modified'
  return 'proceed'
}

/**
 * Whether a `Range` header counts (RFC 9110, 13.1.5): without `If-Range` it does, with one only if the
 * validator in it is strong and ours. A weak tag never is.
 */
export function rangeCounts(ifRange: string | undefined, validators: Validators): boolean {
  if (ifRange === undefined) return true
  if (ifRange.startsWith('"') || ifRange.startsWith('W/')) return ifRange.trim() === validators.etag
  return httpDateS(ifRange) === validators.lastModifiedS
}

/** Formats a time for `Last-Modified`. */
export function httpDate(timeS: number): string {
  return new Date(timeS * 1000).toUTCString()
}

function httpDateS(value: string | undefined): number | undefined {
  if (value === undefined || value.length > 64) return undefined
  const timeMs = Date.parse(value)
  return Number.isNaN(timeMs) ? undefined : Math.floor(timeMs / 1000)
}

/** Whether a list of entity tags has `etag`; `weak` compares as If-None-Match does. */
function listHas(list: string, etag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true
  for (const match of list.matchAll(/(W\/)?("[^"]*")/g)) {
    if (match[2] === etag && (weak || match[1] === undefined)) return true
  }
  return false
}
