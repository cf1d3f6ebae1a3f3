/** What proves whose a node's request is (docs/tickets.md): the header, and the text that it signs. Pure. */
import { createPublicKey, verify } from 'node:crypto'
import { BootswarmError } from './errors.js'

/** The header `Authorization` of a node's request, parsed. */
export interface Credentials {
  /** Ed25519, 64 lower-case hex digits. */
  readonly key: string
  /** Greater with every request of a kind. */
  readonly counter: number
  readonly signature: Uint8Array
  /** 32 lower-case hex digits; a secret. */
  readonly ticket?: string
}

/** A request's credentials and the text that they sign. */
export interface Proof {
  readonly credentials: Credentials
  readonly text: Uint8Array
}

const scheme = /^Bootswarm(?: (.*))?$/
const parameter = /^([a-z_]{1,32})=([\x21\x23-\x2b\x2d-\x7e]{1,1024})$/
const forms = {
  key: /^[0-9a-f]{64}$/,
  counter: /^(?:0|[1-9][0-9]{0,15})$/,
  signature: /^[0-9a-f]{128}$/,
  ticket: /^[0-9a-f]{32}$/,
} as const

/**
 * Reads the header. Undefined: there is none, or one of another scheme. Parameters that this release does not know are left out.
 *
 * @throws BootswarmError REQUEST_INVALID
 */
export function parseCredentials(header: string | undefined): Credentials | undefined {
  const found = scheme.exec(header ?? '')
  if (found === null) return undefined
  const values = new Map<string, string>()
  for (const text of (found[1] ?? '').split(', ')) {
    const [, name = '', value = ''] = parameter.exec(text) ?? []
    if (name === '' || values.has(name)) throw invalid()
    values.set(name, value)
  }
  const of = (name: keyof typeof forms): string => {
    const value = values.get(name) ?? ''
    if (!forms[name].test(value)) throw invalid()
    return value
  }
  const counter = Number(of('counter'))
  if (!Number.isSafeInteger(counter)) throw invalid()
  const signature = Buffer.from(of('signature'), 'hex')
  return { key: of('key'), counter, signature, ...(values.has('ticket') ? { ticket: of('ticket') } : {}) }
}

/** The text that a request signs; `target` as it was sent. */
export function signedText(method: string, target: string, counter: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`bootswarm-request-v1\n${method} ${target}\n${counter}\n`), body])
}

/** Whether a text has this key's signature. */
export function isSigned({ credentials: { key, signature }, text }: Proof): boolean {
  const x = Buffer.from(key, 'hex').toString('base64url')
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    return verify(null, text, publicKey, signature)
  } catch {
    // Not every 32 bytes are a key.
    return false
  }
}

/** Says nothing of what was sent: it may be a secret. */
function invalid(): BootswarmError {
  return new BootswarmError('REQUEST_INVALID', 'the header Authorization is malformed: docs/tickets.md')
}
