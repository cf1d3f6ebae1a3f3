/**
 * Sends a file: ranges, validators, admission, and an end to clients that do not read. Always as a stream from
 * the disk; a whole file in memory for each TLS connection would be gigabytes.
 */
import { close, createReadStream, open, type ReadStream, read } from 'node:fs'
import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { BootswarmError, isShortage } from '../../src/errors.js'
import { addressOwner } from '../../src/net.js'
import { whenOver } from './answer-end.js'
import type { ClientLimits } from './client-limits.js'
import { evaluatePreconditions, httpDate, rangeCounts } from './conditional.js'
import { sendError } from './http-errors.js'
import { parseRange } from './range.js'
import { clientAddress } from './request-addresses.js'
import { SEND_PART_BYTES_MAX, type SendTurn, type SendTurns } from './send-turns.js'
import type { ServedFile } from './services.js'
import type { StreamSlots } from './stream-slots.js'

/** A client that takes less than `bytesMin` in each `windowMs` gives its slot to another. */
const slowClient = { windowMs: 30_000, bytesMin: 512 * 1024 } as const

/** As many of its parts the system may take of a file before it can send them: at 1 Gbit/s 8 ms, and 2 ms of one that yields. */
const unsentParts = 4

/** What sending needs beside the file. */
export interface FileSending {
  /** Missing: no limit, as for boot files, since iPXE gives up at a 503. */
  readonly slots?: StreamSlots
  /** Present: the file yields to those of nodes that have their turn in the boot queue. */
  readonly turns?: SendTurns
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number
  readonly bytesServed: (bytes: number) => void
  /** Least waiting time of a refused client, seconds. */
  readonly retryAfterMinS: number
  readonly slowWindowMs?: number
  readonly limits: Pick<ClientLimits, 'connections' | 'readAhead' | 'sendTurns'>
}

/** Answers a GET or HEAD for `file`. */
export function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: ServedFile,
  sending: FileSending,
) {
  const { headers } = request
  const validators = { etag: `"${file.sha256}"`, lastModifiedS: file.modifiedS }
  reply
    .header('etag', validators.etag)
    .header('last-modified', httpDate(file.modifiedS))
    .header('accept-ranges', 'bytes')
    // The address names the bytes: they never change under it.
    .header('cache-control', file.isBoot ? 'no-cache' : 'public, max-age=31536000, immutable')
  const precondition = evaluatePreconditions(headers, validators)
  if (precondition === 'not-modified') return reply.code(304).send()
  if (precondition === 'failed') return sendError(reply, 'REQUEST_INVALID', 'the file is another', 412)
  const ifRange = headers['if-range']
  const wanted = rangeCounts(typeof ifRange === 'string' ? ifRange : undefined, validators)
    ? headers.range
    : undefined
  const range = parseRange(request.method === 'HEAD' ? undefined : wanted, file.sizeBytes)
  if (range.kind === 'unsatisfiable') {
    reply.header('content-range', `bytes */${file.sizeBytes}`)
    return sendError(reply, 'RANGE_INVALID', `the file has ${file.sizeBytes} bytes`)
  }
  const start = range.kind === 'part' ? range.start : 0
  const end = range.kind === 'part' ? range.end : file.sizeBytes - 1
  const bodyBytes = end - start + 1
  reply.type('application/octet-stream').header('content-length', bodyBytes)
  if (request.method === 'HEAD') return reply.send()
  if (range.kind === 'part')
    reply.code(206).header('content-range', `bytes ${start}-${end}/${file.sizeBytes}`)
  return stream(request, reply, file, start, end, sending)
}

async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  file: ServedFile,
  start: number,
  end: number,
  sending: FileSending,
) {
  const { slots, nowMs, limits } = sending
  const reset = () => limits.connections.reset(request.socket)
  const admission = slots?.admit(addressOwner(clientAddress(request)), end - start + 1, nowMs(), reset)
  if (admission !== undefined && !admission.ok) {
    reply
      .removeHeader('content-length')
      .removeHeader('content-range')
      .removeHeader('etag')
      .removeHeader('last-modified')
    reply.header('retry-after', Math.max(sending.retryAfterMinS, admission.retryAfterS))
    return sendError(reply, 'ORIGIN_BUSY', 'too many nodes fetch from the server at once; ask again later')
  }
  if (admission?.ok) admission.inPlaceOf?.end()
  const turn = sending.turns?.enter(clientAddress(request))
  const partBytes = limits.readAhead.begin(turn && SEND_PART_BYTES_MAX)
  limits.connections.limitUnsent(request.socket, unsentParts * partBytes)
  const fs = turn && readsInTurn(turn, reply.raw)
  const body = createReadStream(file.path, { start, end, highWaterMark: partBytes, ...(fs && { fs }) })
  const isOpen = opened(body)
  const cutOff = () => !turn?.takeWaited() && reset()
  const watch = watchReader(body, cutOff, sending.slowWindowMs ?? slowClient.windowMs)
  whenOver(reply, () => {
    clearInterval(watch)
    body.destroy()
    turn?.end()
    limits.readAhead.end(partBytes)
    if (admission?.ok) slots?.release(admission.lease, nowMs())
    sending.bytesServed(body.bytesRead)
  })
  await isOpen
  // The client has hung up before.
  return body.destroyed ? reply.hijack() : reply.send(body)
}

/** What a stream reads with: nothing ahead of what the client's connection takes, and each part when it is its turn. */
function readsInTurn(turn: SendTurn, response: ServerResponse) {
  type Done = (error: NodeJS.ErrnoException | null, bytes: number, buffer: Buffer) => void
  const readPart = (fd: number, buffer: Buffer, at: number, bytes: number, position: number, done: Done) =>
    whenTaken(response, () =>
      turn.read(bytes, (partBytes) => read(fd, buffer, at, partBytes, position, done)),
    )
  return { open, read: readPart, close }
}

/** Calls back once when the system has taken what was written, or the answer is over. */
function whenTaken(response: ServerResponse, run: () => void): void {
  const taken = () => {
    response.off('drain', taken).off('close', taken)
    run()
  }
  if (response.writableNeedDrain) response.on('drain', taken).on('close', taken)
  else run()
}

/** @throws BootswarmError ARTIFACT_VANISHED, or the system's error if it has no descriptor left */
function opened(body: ReadStream): Promise<void> {
  return new Promise((resolve, reject) => {
    body.once('ready', resolve)
    // The client may hang up before it is open.
    body.once('close', resolve)
    body.once('error', (cause) => {
      const message = 'the file is not there any more; fetch a fresh manifest'
      reject(isShortage(cause) ? cause : new BootswarmError('ARTIFACT_VANISHED', message, { cause }))
    })
  })
}

function watchReader(body: ReadStream, end: () => void, windowMs: number): NodeJS.Timeout {
  let beforeBytes = 0
  const timer = setInterval(() => {
    if (body.bytesRead - beforeBytes < slowClient.bytesMin) end()
    beforeBytes = body.bytesRead
  }, windowMs)
  timer.unref()
  return timer
}
