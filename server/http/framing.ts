/**
 * How the body of a request is delimited, as far as this server takes part: by its length, within a bound. No I/O.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { EVENTS_BYTES_MAX } from '../../src/limits.js'

/** Bytes of the body that follows; undefined: it is refused unread ({@link refusedFraming}). */
export function bodyBytesOf(headers: IncomingHttpHeaders): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined
  const bytes = Number(headers['content-length'] ?? 0)
  return bytes <= EVENTS_BYTES_MAX ? bytes : undefined
}

/** Why a request is refused by its head alone: the status and what is wrong. The connection ends with the answer. */
export function refusedFraming({
  headers,
  httpVersion,
}: Pick<IncomingMessage, 'headers' | 'httpVersion'>): [status: number, message: string] | undefined {
  if (headers['transfer-encoding'] !== undefined) return [411, 'the body must have a Content-Length']
  if (bodyBytesOf(headers) === undefined) return [413, 'the body is too large']
  // RFC 9112, 3.2.
  if (headers.host === undefined && httpVersion !== '1.0') return [400, 'the request has no Host']
  return undefined
}
