/** A node's key as an agent has it, for tests that send requests of their own. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type Proof, parseCredentials, signedText } from '../../src/credentials.js'

/** Signs requests; each has a greater number than the one before. */
export class TestKey {
  readonly #privateKey: KeyObject
  readonly #hex: string
  #counter = 0

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.#privateKey = privateKey
    this.#hex = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
  }

  /** The header of a request. */
  header(method: string, target: string, body = '', ticket?: string): { authorization: string } {
    this.#counter += 1
    const counter = this.#counter
    const signature = sign(null, signedText(method, target, counter, Buffer.from(body)), this.#privateKey)
    const words = [`key=${this.#hex}`, `counter=${counter}`, `signature=${signature.toString('hex')}`]
    if (ticket !== undefined) words.push(`ticket=${ticket}`)
    return { authorization: `Bootswarm ${words.join(', ')}` }
  }

  /** The same as the server has it. */
  proof(ticket?: string, [method, target, body] = ['GET', '/v1/manifest', '']): Proof {
    const credentials = parseCredentials(this.header(method, target, body, ticket).authorization)
    if (credentials === undefined) throw new Error('no credentials')
    return { credentials, text: signedText(method, target, credentials.counter, Buffer.from(body)) }
  }
}
