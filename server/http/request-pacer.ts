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

/** Who else has a say in when requests are read. */
export interface PacerHooks {
  /** Runs something now or when the client has its turn. */
  readonly turn: (address: string, run: () => void) => void
  /** A response begins; what it returns is called when that is over. */
  readonly begun: (socket: Socket) => () => void
}

/** Paces the requests of a server. */
export function paceRequests(server: Server, isSecure: boolean, { turn, begun }: PacerHooks): void {
  const paced = new WeakMap<Socket, PacedConnection>()
  // After Node's own listener, which has attached its parser.
  server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => {
    const { remoteAddress = '' } = socket
    if (socket.destroyed) return
    paced.set(socket, new PacedConnection(socket, (run) => turn(remoteAddress, run)))
  })
  server.prependListener('request', (request, response) => {
    const { socket } = request
    // Before the next request begins.
    response.once('close', begun(socket))
    paced.get(socket)?.begin(request, response)
  })
  // RFC 9110, 10.1.1: what a client expects may be ignored. Node would answer by itself.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
}

class PacedConnection {
  readonly #socket: Socket
  readonly #parse: (bytes: Buffer) => void
  readonly #turn: (run: () => void) => void
  /** Read, and not parsed yet. */
  #ahead: Buffer = nothing
  /** Of the body of the current request. */
  #bodyLeftBytes = 0
  #isInHead = false
  #isAnswering = false
  #waitsForTurn = false
  /** Nothing more is parsed: the response closes the connection. */
  #isLast = false

  constructor(socket: Socket, turn: (run: () => void) => void) {
    this.#socket = socket
    this.#turn = turn
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
    if (socket.destroyed || socket.writableEnded || this.#isLast) this.#ahead = nothing
    this.#parseBody()
    if (this.#mayParseHead() && !this.#waitsForTurn) {
      this.#waitsForTurn = true
      this.#turn(() => {
        this.#waitsForTurn = false
        this.#parseHead()
        this.#parseOn()
      })
    }
    if (this.#ahead.length > aheadBytesMax) socket.destroy()
    else if (this.#ahead.length > 0) socket.pause()
    else if (socket.isPaused()) socket.resume()
  }

  #parseBody(): void {
    const bytes = Math.min(this.#bodyLeftBytes, this.#ahead.length)
    if (bytes === 0) return
    this.#bodyLeftBytes -= bytes
    this.#parseNext(bytes)
  }

  #parseHead(): void {
    // Empty lines before a request mean nothing (RFC 9112, 2.2).
    if (!this.#isInHead) this.#ahead = this.#ahead.subarray(leadingLineEnds(this.#ahead))
    while (this.#mayParseHead()) {
      this.#isInHead = true
      const end = this.#ahead.indexOf(lf)
      this.#parseNext(end === -1 ? this.#ahead.length : end + 1)
    }
  }

  #mayParseHead(): boolean {
    const { destroyed, writableEnded, writableNeedDrain } = this.#socket
    // With more to write than the connection takes, Node's server would stop the parser by itself.
    if (destroyed || writableEnded || writableNeedDrain) return false
    return this.#ahead.length > 0 && this.#bodyLeftBytes === 0 && !this.#isAnswering && !this.#isLast
  }

  #parseNext(bytes: number): void {
    const piece = this.#ahead.subarray(0, bytes)
    this.#ahead = this.#ahead.subarray(bytes)
    this.#parse(piece)
  }
}

function leadingLineEnds(bytes: Buffer): number {
  let at = 0
  while (bytes[at] === lf || bytes[at] === cr) at += 1
  return at
}
