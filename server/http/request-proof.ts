/** What a request over HTTPS brings to prove whose it is. */
import type { FastifyRequest } from 'fastify'
import { type Proof, parseCredentials, signedText } from '../../src/credentials.js'

/**
 * Undefined: nothing.
 *
 * @throws BootswarmError REQUEST_INVALID
 */
export function requestProof({ method, headers, raw }: FastifyRequest, body: Uint8Array): Proof | undefined {
  const credentials = parseCredentials(headers.authorization)
  if (credentials === undefined) return undefined
  return { credentials, text: signedText(method, raw.url ?? '', credentials.counter, body) }
}
