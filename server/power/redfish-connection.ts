/** Requests to a Redfish service: who answers is checked before it gets the password. */
import { type IncomingMessage, request } from 'node:http'
import { connect, type TLSSocket } from 'node:tls'
import type { RedfishTarget } from './ways.js'

/** Controllers are slow: some take ten seconds for an answer, milliseconds. */
const answerMs = 30_000
/** A system with all its links, many times over. */
const answerBytesMax = 1024 * 1024

/** An answer that is no error. */
export interface RedfishAnswer {
  /** JSON; undefined: there is none. */
  readonly body: unknown
}

/** See the module. */
export class RedfishConnection {
  readonly #url: URL
  readonly #target: RedfishTarget
  readonly #secrets: { readonly password: string; readonly ca: string | undefined }
  readonly #ended: AbortSignal

  constructor(
    target: RedfishTarget,
    secrets: { readonly password: string; readonly ca: string | undefined },
    ended: AbortSignal,
  ) {
    this.#url = new URL(target.url)
    this.#target = target
    this.#secrets = secrets
    this.#ended = ended
  }

  /** @throws Error whose message says what failed */
  get(path: string): Promise<RedfishAnswer> {
    return this.#ask('GET', path)
  }

  /** @throws Error whose message says what failed */
  post(path: string, body: object): Promise<RedfishAnswer> {
    return this.#ask('POST', path, JSON.stringify(body))
  }

  async #ask(method: string, path: string, body?: string): Promise<RedfishAnswer> {
    const limit = AbortSignal.timeout(answerMs)
    const signal = AbortSignal.any([this.#ended, limit])
    try {
      const socket = await this.#connect(signal)
      const response = await this.#send(socket, signal, method, path, body)
      return await read(response, `${method} ${path}`)
    } catch (error) {
      if (limit.aborted) throw new Error(`its Redfish service did not answer within ${answerMs / 1000} s`)
      throw error
    }
  }

  /** A connection to who the configuration says it is. */
  #connect(signal: AbortSignal): Promise<TLSSocket> {
    const host = this.#url.hostname.replace(/^\[|\]$/g, '')
    const port = Number(this.#url.port || 443)
    const { fingerprint } = this.#target
    const { ca } = this.#secrets
    const trust =
      fingerprint === undefined ? { ...(ca === undefined ? {} : { ca }) } : { rejectUnauthorized: false }
    // RFC 6066, 3: no name of an address.
    const name = /^[0-9.]+$|:/.test(host) ? {} : { servername: host }
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, ...name, ...trust })
      const abort = () => socket.destroy(new Error('the server ended'))
      signal.addEventListener('abort', abort, { once: true })
      socket.once('error', reject)
      socket.once('secureConnect', () => {
        const own = socket.getPeerCertificate().fingerprint256?.replaceAll(':', '').toLowerCase()
        if (fingerprint === undefined || own === fingerprint) resolve(socket)
        else socket.destroy(new Error(`its certificate is another one: its SHA-256 is ${own}`))
      })
    })
  }

  #send(
    socket: TLSSocket,
    signal: AbortSignal,
    method: string,
    path: string,
    body: string | undefined,
  ): Promise<IncomingMessage> {
    const basic = Buffer.from(`${this.#target.user}:${this.#secrets.password}`).toString('base64')
    const headers = {
      host: this.#url.host,
      accept: 'application/json',
      authorization: `Basic ${basic}`,
      'odata-version': '4.0',
      connection: 'close',
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    }
    return new Promise((resolve, reject) => {
      const asked = request({ createConnection: () => socket, method, path, headers, signal })
      asked.once('error', reject)
      asked.once('response', resolve)
      asked.end(body)
    })
  }
}

/** @throws Error for anything but a success, with what the service says of it */
async function read(response: IncomingMessage, what: string): Promise<RedfishAnswer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    bytes += (part as Buffer).length
    if (bytes > answerBytesMax)
      throw new Error(`its Redfish service answers with more than ${answerBytesMax} bytes`)
    parts.push(part as Buffer)
  }
  const { statusCode = 0 } = response
  const body = parsed(Buffer.concat(parts).toString())
  if (statusCode >= 200 && statusCode < 300) return { body }
  const said = statusCode === 401 ? 'user or password is wrong' : messageOf(body)
  throw new Error(`its Redfish service answers ${what} with ${statusCode}${said === '' ? '' : `: ${said}`}`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The first message of an error (DSP0266, 8.6). */
function messageOf(body: unknown): string {
  const { error } = (body ?? {}) as { error?: { message?: unknown; '@Message.ExtendedInfo'?: unknown } }
  const info = error?.['@Message.ExtendedInfo']
  const [first] = Array.isArray(info) ? (info as { Message?: unknown }[]) : []
  const text = first?.Message ?? error?.message
  return typeof text === 'string' ? text.slice(0, 200) : ''
}
