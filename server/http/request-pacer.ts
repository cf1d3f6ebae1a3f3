/**
 * One response under way on each connection: the next request is not parsed before the response to the one before is over. Node's
 * own server parses all requests of a packet at once and starts to answer all of them, so one packet of a client that reads nothing
 * would hold hundreds of files open.
 *
 * The parser is given line by line of a head, and what belongs to the body. It alone says where a request ends: what is decided here is
 * only when it gets to read on.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { bodyBytesOf } from './framing.js'

/** What a client may send ahead of the responses that it waits for, bytes: more than clients pipeline. */
const aheadBytesMax = 16 * 1024

const lf = 10
const cr = 13
const nothing = Buffer.alloc(0)

/** Paces the requests of a server; `begun` is told of each, and what it returns is called when the response is over. */
export function paceRequests(server: Server, isSecure: boolean, begun: (socket: Socket) => () => void): void {
  const paced = new WeakMap<Socket, PacedConnection>()
  // After Node's own listener, which has attached its parser.
  server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (!socket.destroyed) paced.set(socket, new PacedConnection(socket))
  })
  server.prependListener('request', (request, response) => {
    const { socket } = request
    const over = begun(socket)
    paced.get(socket)?.begin(request, response)
    response.once('close', over)
  })
  // RFC 9110, 10.1.1: what a client expects may be ignored. Node would answer by itself.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
}

class PacedConnection {
  readonly #socket: Socket
  readonly #parse: (bytes: Buffer) => void
  /** Read, and not parsed yet. */
  #ahead: Buffer = nothing
  /** Of the body of the current request. */
  #bodyLeftBytes = 0
  #isInHead = false
  #isAnswering = false
  /** Nothing more is parsed: the response closes the connection. */
  #isLast = false

  constructor(socket: Socket) {
    this.#socket = socket
    const [parse] = socket.listeners('data') as ((bytes: Buffer) => void)[]
    if (parse === undefined) throw new Error('the connection has no HTTP parser')
    this.#parse = parse
    socket.removeListener('data', parse)
    socket.on('data', (bytes: Buffer) => {
      this.#ahead = this.#ahead.length === 0 ? bytes : Buffer.concat([this.#ahead, bytes])
      this.#parseOn()
    })
    socket.on('drain', () => this.#parseOn())
  }

  /** The parser has read the head of a request. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const bodyBytes = bodyBytesOf(request.headers)
    this.#isLast = bodyBytes === undefined
    this.#bodyLeftBytes = bodyBytes ?? 0
    this.#isInHead = false
    this.#isAnswering = true
    response.once('close', () => {
      this.#isAnswering = false
      this.#parseOn()
    })
  }

  #parseOn(): void {
    const socket = this.#socket
    for (;;) {
      if (socket.destroyed || socket.writableEnded) this.#ahead = nothing
      const bytes = this.#next()
      if (bytes === 0) break
      const piece = this.#ahead.subarray(0, bytes)
      this.#ahead = this.#ahead.subarray(bytes)
      this.#parse(piece)
    }
    if (this.#ahead.length > aheadBytesMax) socket.destroy()
    else if (this.#ahead.length > 0) socket.pause()
    else if (socket.isPaused()) socket.resume()
  }

  /** How many of the bytes ahead may be parsed now. */
  #next(): number {
    if (this.#isLast) return 0
    if (this.#bodyLeftBytes > 0) {
      const bytes = Math.min(this.#bodyLeftBytes, this.#ahead.length)
      this.#bodyLeftBytes -= bytes
      return bytes
    }
    // With more to write than the connection takes, Node's server would stop the parser by itself.
    if (this.#isAnswering || this.#socket.writableNeedDrain) return 0
    if (!this.#isInHead) {
      // Empty lines before a request mean nothing (RFC 9112, 2.2).
      this.#ahead = this.#ahead.subarray(leadingLineEnds(this.#ahead))
      this.#isInHead = this.#ahead.length > 0
    }
    const end = this.#ahead.indexOf(lf)
    return end === -1 ? this.#ahead.length : end + 1
  }
}

function leadingLineEnds(bytes: Buffer): number {
  let at = 0
  while (bytes[at] === lf || bytes[at] === cr) at += 1
  return at
}
