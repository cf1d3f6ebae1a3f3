/**
 * The memory that answers wait in until their clients have read them: manifests, torrents, the status. How much there may be of it,
 * and whose answer is broken off for another (fair-share.ts). Files are read as they are sent (file-route.ts) and not counted.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { addressOwner } from '../../src/net.js'
import { whenOver } from './answer-end.js'
import { FairShare } from './fair-share.js'
import { becomeError } from './http-errors.js'
import { clientAddress } from './request-addresses.js'

/** What the system takes of each connection at once is not counted, bytes. */
const smallBytes = 16 * 1024

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The bytes of the answer are held anyway: they are the same for all. Over TLS each has an encrypted copy all the same. */
    readonly isAnswerShared?: boolean
  }
}

/** Counts what waits. */
export class AnswerMemory {
  readonly #share: FairShare<FastifyReply>
  readonly #breakOff: (reply: FastifyReply) => void

  /** @param bytesMax of all answers together */
  constructor(bytesMax: number, breakOff: (reply: FastifyReply) => void) {
    this.#share = new FairShare(bytesMax)
    this.#breakOff = breakOff
  }

  /** Whether there is room for an answer of so many bytes; it is held until the answer is over. */
  hold(reply: FastifyReply, bytes: number): boolean {
    if (bytes <= smallBytes || this.#share.holds(reply)) return true
    const address = addressOwner(clientAddress(reply.request))
    const yielding = this.#share.take(reply, address, bytes, true)
    if (yielding === undefined) return false
    for (const other of yielding) this.#breakOff(other)
    whenOver(reply, () => this.#share.release(reply))
    return true
  }
}

/** Answers that find no room become a 503. */
export function limitAnswers(app: FastifyInstance, memory: AnswerMemory, isSecure: boolean): void {
  app.addHook('onSend', async (request, reply, payload) => {
    const isShared = request.routeOptions.config.isAnswerShared === true && !isSecure
    if (isShared || memory.hold(reply, bytesOf(payload))) return payload
    for (const name of ['content-encoding', 'content-length']) reply.removeHeader(name)
    return becomeError(reply, 'ORIGIN_BUSY', 'too many answers wait for their clients; ask again later')
  })
}

/** The length of a body that is no stream. */
export function bytesOf(payload: unknown): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return Buffer.isBuffer(payload) ? payload.length : 0
}
