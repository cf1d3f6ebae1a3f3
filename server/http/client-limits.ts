/**
 * What all clients of the HTTP and HTTPS listeners together may make this process hold, and where it comes from: the limit on open
 * files and the machine's memory. Each bound is divided among addresses where that matters (fair-share.ts).
 */
import { TcpOptions } from '../process/tcp-options.js'
import { AnswerMemory } from './answer-memory.js'
import { AnswerPace } from './answer-pace.js'
import { Connections } from './connections.js'
import { ReadAhead } from './read-ahead.js'
import { RequestTurns } from './request-turns.js'
import { SendTurns } from './send-turns.js'

/**
 * Descriptors that are never given to clients: the database (6), taking files in and checking them (20), channels to the children
 * (10), sockets for LSD (32), listeners, logs, boot programs, libuv's own (20), and as many again; clients of the Unix socket (32).
 */
const reservedDescriptors = 192

/** A connection, and the file that is sent over it. */
const descriptorsOfConnection = 2

/** Few, but a farm boots with them: where descriptors are fewer still, the server says so. */
const connectionsMin = 32

/** Several for each node of a large farm. */
const connectionsMax = 32_768

/** What a connection takes at most besides its answer, bytes: TLS, the parser, what is read ahead on both sides. */
const connectionBytes = 128 * 1024

/** The parts of the machine's memory that connections and unread answers may take. */
const connectionsShare = 1 / 4
const answersShare = 1 / 16
const answerBytesMin = 64 * 1024 * 1024

/** The bounds, shared by all listeners. */
export interface ClientLimits {
  readonly connections: Connections
  readonly answers: AnswerMemory
  readonly readAhead: ReadAhead
  readonly turns: RequestTurns
  readonly sendTurns: SendTurns
  readonly answerPace: AnswerPace
}

/** How many there may be. */
export interface ClientLimitNumbers {
  readonly connectionsMax: number
  /** Answers that wait to be read, bytes. */
  readonly answerBytesMax: number
}

/** Derives the numbers from what this process may have open and the memory of the machine. */
export function clientLimitNumbers(openFilesMax: number, memoryBytes: number): ClientLimitNumbers {
  const byDescriptors = Math.floor((openFilesMax - reservedDescriptors) / descriptorsOfConnection)
  const byMemory = Math.floor((memoryBytes * connectionsShare) / connectionBytes)
  return {
    connectionsMax: Math.max(connectionsMin, Math.min(connectionsMax, byDescriptors, byMemory)),
    answerBytesMax: Math.max(answerBytesMin, Math.floor(memoryBytes * answersShare)),
  }
}

/** Makes the bounds of all listeners. */
export function makeClientLimits({ connectionsMax, answerBytesMax }: ClientLimitNumbers): ClientLimits {
  const connections = new Connections(connectionsMax, new TcpOptions())
  const nowMs = () => performance.now()
  const after = (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  }
  const sendTurns = new SendTurns({ nowMs, after })
  return {
    connections,
    answers: new AnswerMemory(answerBytesMax, (reply) => connections.reset(reply.request.socket)),
    readAhead: new ReadAhead(),
    turns: new RequestTurns({ nowMs, later: setImmediate }),
    sendTurns,
    answerPace: new AnswerPace(sendTurns, { nowMs, after }),
  }
}
