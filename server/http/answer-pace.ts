/**
 * When short answers are sent: manifests, torrents, announces, the status. What an address gets of them within {@link freeBytes} goes at
 * once. Above that its answers go second, as files without a turn do (send-turns.ts): dozens of connections that ask without a pause
 * would have most of the link, as TCP shares it by connection.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { addressOwner } from '../../src/net.js'
import { TokenBuckets } from '../../src/token-bucket.js'
import { whenOver } from './answer-end.js'
import { bytesOf } from './answer-memory.js'
import { clientAddress } from './request-addresses.js'
import type { SendTurns, SendTurnsOptions } from './send-turns.js'

/** A boot costs 2 KB of answers, 6 KB where nobody has compressed its manifest: 500 nodes behind one address have theirs at once. */
const freeBytes = { atOnce: 4 * 1024 * 1024, perSecond: 128 * 1024 } as const

/** Of an answer beside its body. */
const headBytes = 200

/**
 * What "come back later" (503, 429) costs an address of these, bytes, and how late it is told when nothing is left of them. 500 clients of one
 * address that do come back later have theirs at once; one that asks again without a pause would get thousands a second.
 */
const refusal = { statusCodes: [429, 503], bytes: 16 * 1024, lateMs: 1000 } as const

/** Addresses that are remembered; one that is forgotten begins anew. */
const addressesMax = 4096

/** Holds answers back that go second. */
export class AnswerPace {
  readonly #turns: Pick<SendTurns, 'enter'>
  readonly #options: SendTurnsOptions
  readonly #free = new TokenBuckets(addressesMax, freeBytes.perSecond, freeBytes.atOnce)

  constructor(turns: Pick<SendTurns, 'enter'>, options: SendTurnsOptions) {
    this.#turns = turns
    this.#options = options
  }

  /** Resolves when an answer of so many bytes may be sent, or its client has gone; undefined: now. */
  wait(reply: FastifyReply, bodyBytes: number): Promise<void> | undefined {
    const address = clientAddress(reply.request)
    const isRefusal = refusal.statusCodes.some((code) => code === reply.statusCode)
    const bytes = isRefusal ? refusal.bytes : bodyBytes + headBytes
    if (this.#free.take(addressOwner(address), bytes, this.#options.nowMs())) return undefined
    if (isRefusal) return this.#late(reply)
    const turn = this.#turns.enter(address)
    return new Promise((resolve) => {
      let leftBytes = bytes
      const part = (partBytes: number) => {
        leftBytes -= partBytes
        if (leftBytes > 0) {
          turn.read(leftBytes, part)
          return
        }
        turn.end()
        resolve()
      }
      turn.read(leftBytes, part)
      whenOver(reply, () => turn.end())
    })
  }

  #late(reply: FastifyReply): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#options.after(refusal.lateMs, resolve)
      whenOver(reply, () => {
        callOff()
        resolve()
      })
    })
  }
}

/** Answers wait until they may be sent. */
export function paceAnswers(app: FastifyInstance, pace: AnswerPace): void {
  app.addHook('onSend', async (_request, reply, payload) => {
    await pace.wait(reply, bytesOf(payload))
    return payload
  })
}
