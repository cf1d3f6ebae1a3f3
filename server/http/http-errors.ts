/**
 * How a failure becomes an answer: `{"code","message"}` and a status. What was not expected says nothing but
 * INTERNAL to the client; its reason goes to the log.
 */
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BootswarmError, type ErrorCode } from '../../src/errors.js'

/** The status of a code; what is not listed is 500 and stays inside. */
const statusOf: Partial<Record<ErrorCode, number>> = {
  ACTIONS_TOO_MANY: 409,
  ACTION_CONFLICT: 409,
  ACTION_UNKNOWN: 404,
  ARTIFACT_NOT_FOUND: 404,
  ARTIFACT_VANISHED: 404,
  BENCODE_MALFORMED: 400,
  BOOT_PROGRAM_MISSING: 404,
  CATALOG_EMPTY: 503,
  CHANGE_NOT_SAVED: 503,
  EVENTS_INVALID: 400,
  EVENT_STREAMS_TOO_MANY: 503,
  MANIFEST_BAD_NONCE: 400,
  NODE_DRAINED: 403,
  NODE_ID_INVALID: 400,
  NODE_NOT_ADMITTED: 403,
  NODE_UNKNOWN: 404,
  ORIGIN_BUSY: 503,
  PROFILE_ARTIFACT_MISSING: 503,
  RANGE_INVALID: 416,
  REPORTS_NOT_SAVED: 503,
  REPORTS_TOO_MANY: 429,
  REQUEST_INVALID: 400,
  ROLE_TOO_LOW: 403,
  ROUTE_NOT_FOUND: 404,
  SIGNATURE_INVALID: 403,
  TICKET_REFUSED: 403,
  TICKET_REQUIRED: 403,
  TLS_REQUIRED: 403,
  TOKENS_TOO_MANY: 409,
  TOKEN_INVALID: 401,
  TOKEN_MISSING: 401,
  TOKEN_TRIES_TOO_MANY: 429,
  TOKEN_UNKNOWN: 404,
  TRACKER_REQUEST_INVALID: 400,
}

/** Clients ask again after this, where nothing else is known, seconds. */
const retryAfterS: Partial<Record<ErrorCode, number>> = {
  CATALOG_EMPTY: 5,
  NODE_DRAINED: 15,
  NODE_NOT_ADMITTED: 15,
  ORIGIN_BUSY: 2,
  PROFILE_ARTIFACT_MISSING: 5,
  TICKET_REQUIRED: 15,
}

/**
 * A client that was told of its mistake is read for so long, milliseconds: what it has sent would make the system drop the answer
 * (RFC 9112, 9.6). Longer would be for ever, for one that sends on.
 */
const lingerMs = 2000

/** Logs what a client must not see. */
export type LogUnexpected = (error: unknown, request: FastifyRequest) => void

/** Answers with an error; `status` overrides the code's own. */
export function sendError(
  reply: FastifyReply,
  code: ErrorCode,
  message: string,
  status?: number,
): FastifyReply {
  return reply.send(becomeError(reply, code, message, status))
}

/** Makes an answer that is not sent yet an error, and returns its body. */
export function becomeError(reply: FastifyReply, code: ErrorCode, message: string, status?: number): string {
  const waitS = retryAfterS[code]
  if (waitS !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', waitS)
  reply
    .code(status ?? statusOf[code] ?? 500)
    .header('cache-control', 'no-store')
    .type('application/json')
  return JSON.stringify({ code, message })
}

/** Makes all failures of an instance such answers. */
export function setErrorHandlers(app: FastifyInstance, logUnexpected: LogUnexpected): void {
  app.setNotFoundHandler((_request, reply) => sendError(reply, 'ROUTE_NOT_FOUND', 'there is no such path'))
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof BootswarmError && statusOf[error.code] !== undefined) {
      if (error.retryAfterS !== undefined) reply.header('retry-after', error.retryAfterS)
      return sendError(reply, error.code, error.message)
    }
    const status = clientStatus(error)
    if (status !== undefined) {
      const message = status === 413 ? 'the body is too large' : 'the request is malformed'
      return sendError(reply, invalidCode(request), message, status)
    }
    logUnexpected(error, request)
    return sendError(reply, 'INTERNAL', 'the server failed; its log says why')
  })
}

/** The code of a request that is malformed. */
export function invalidCode({ url }: FastifyRequest): ErrorCode {
  return /^\/v1\/nodes\/[^/]*\/events$/.test(url) ? 'EVENTS_INVALID' : 'REQUEST_INVALID'
}

/** Answers what is no HTTP at all, or comes too slowly, and hangs up. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  // Of a TLS handshake that fails or takes too long nothing that is written leaves: its end would never come.
  if (!isOfHttp(error) || !socket.writable) {
    socket.destroy()
    return
  }
  const [line, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'the request came too slowly']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'the header is too large']
        : ['400 Bad Request', 'the request is malformed']
  const body = JSON.stringify({ code: 'REQUEST_INVALID', message })
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.once('close', () => clearTimeout(timer))
  socket.end(
    `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
}

/** Whether a client was understood as far as HTTP, and not beyond. */
function isOfHttp({ code = '' }: { readonly code?: string }): boolean {
  return code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT'
}

/** The status of a mistake that fastify found in a request; undefined if the mistake is ours. */
function clientStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined
  const status = error.statusCode
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
