/** Requests over connections that stay open, one at a time on each, as fast as the server answers. */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { ports } from '../target.js'
import { count, nextAddress, pause, target } from './attacker.js'

/** One request. */
export interface Ask {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Present: it is posted. */
  readonly body?: string
}

/** After an error or a refusal that says nothing of a time, milliseconds. */
const againMs = 20

/** Keeps so many requests running. */
export function requestForever(scheme: 'http' | 'https', connections: number, next: () => Ask): void {
  for (let index = 0; index < connections; index += 1) {
    const options = { keepAlive: true, maxSockets: 1, localAddress: nextAddress() }
    const agent =
      scheme === 'http' ? new HttpAgent(options) : new HttpsAgent({ ...options, rejectUnauthorized: false })
    void (async () => {
      for (;;) if (!(await ask(scheme, agent, next()))) await pause(againMs)
    })()
  }
}

/** True: it was answered, whatever the status. */
function ask(scheme: 'http' | 'https', agent: HttpAgent, { path, headers, body }: Ask): Promise<boolean> {
  return new Promise((resolve) => {
    const options = {
      ...{ host: target.server, port: ports[scheme], path, agent },
      method: body === undefined ? 'GET' : 'POST',
      headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
    }
    const heard = (response: IncomingMessage) => {
      count(`status_${response.statusCode}`)
      response.on('error', () => resolve(false))
      response.on('end', () => resolve(true))
      response.resume()
    }
    const request: ClientRequest =
      scheme === 'http' ? httpRequest(options, heard) : httpsRequest(options, heard)
    request.on('error', () => {
      count('errors')
      resolve(false)
    })
    request.end(body)
  })
}
