/** A client of the operators' API (docs/api.md). */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ActionBody } from '../../server/api/operators/requests.js'
import type {
  ActionList,
  AuditPage,
  EventPage,
  NewOperatorToken,
  NodePage,
  OperatorAction,
  OperatorActionSummary,
  OperatorEvent,
  OperatorNode,
  OperatorStatus,
  OperatorToken,
  OperatorWhy,
  TokenList,
  WholeOperatorNode,
} from '../../server/api/operators/schemas.js'
import { BootswarmError, type ErrorCode, errorCodes } from '../../src/errors.js'
import { PAGE_MAX } from '../../src/limits.js'
import type { NextBoot } from '../../src/next-boot.js'
import type { ShownNode } from '../../src/shown-node.js'
import type { Door } from './connect.js'
import { EventLines } from './event-lines.js'

/** Larger than any page, bytes. */
const answerBytesMax = 64 * 1024 * 1024
/** A server that says nothing for so long has gone, milliseconds; a stream of events has a comment every 20 s. */
const silentMs = 60_000
/** A stream that was broken off is asked for again after this, milliseconds. */
const againMs = 2000

/** Parameters of a request. */
export type Query = Readonly<Record<string, string | number>>

/** Events, and the id after which others come. */
export type Events = Pick<EventPage, 'events' | 'next'>

/** See the module. Its answers are what the server of the same version gives; texts in them are printed as data. */
export class ApiClient {
  readonly #door: Door
  readonly #agent: Agent

  constructor(door: Door) {
    this.#door = door
    this.#agent = new DoorAgent(door)
  }

  /** Where the server is, for people. */
  get name(): string {
    return this.#door.name
  }

  status(): Promise<OperatorStatus> {
    return this.#json('GET', '/status')
  }

  /** All nodes that match, sorted. */
  async nodes(query: Query): Promise<OperatorNode[]> {
    const nodes: OperatorNode[] = []
    let cursor: string | null = null
    do {
      const more: Query = { ...query, limit: PAGE_MAX, ...(cursor === null ? {} : { cursor }) }
      const page: NodePage = await this.#json('GET', '/nodes', more)
      nodes.push(...page.nodes)
      cursor = page.next
    } while (cursor !== null)
    return nodes
  }

  /** One node, with what its machine is. */
  node(id: string): Promise<WholeOperatorNode> {
    return this.#json('GET', `/nodes/${encodeURIComponent(id)}`)
  }

  /** Where the newest boot of a node stopped. */
  why(node: string): Promise<OperatorWhy> {
    return this.#json('GET', `/nodes/${encodeURIComponent(node)}/why`)
  }

  /** What the running server gives to a node, and which lines of its configuration do. */
  configOf(node: string): Promise<ShownNode> {
    return this.#json('GET', `/nodes/${encodeURIComponent(node)}/config`)
  }

  /** The newest events that match, of all or of one node, oldest first; `next`: what comes has greater ids. */
  async newestEvents(last: number, query: Query, node?: string): Promise<Events> {
    const events: OperatorEvent[] = []
    let next: number | undefined
    let before: number | null = null
    do {
      const more: Query = before === null ? {} : { before }
      const page: EventPage = await this.#json('GET', eventsPath(node), {
        ...{ ...query, ...more, limit: last - events.length },
      })
      next ??= page.next
      events.unshift(...page.events)
      before = page.previous
    } while (before !== null && events.length < last)
    return { events, next }
  }

  /** All events that match since a time, milliseconds since 1970, a page at a time. */
  async *eventsSince(sinceMs: number, query: Query, node?: string): AsyncGenerator<Events> {
    let start: Query = {}
    for (let after: number | undefined; ; ) {
      const asked = { ...query, ...start, since_ms: sinceMs, limit: PAGE_MAX }
      const page: EventPage = await this.#json('GET', eventsPath(node), asked)
      yield page
      if (page.next === after) return
      after = page.next
      start = { after }
    }
  }

  label(node: string, label: string): Promise<OperatorNode> {
    return this.#json('POST', `/nodes/${encodeURIComponent(node)}/label`, {}, { label })
  }

  approve(node: string, approved: boolean): Promise<OperatorNode> {
    return this.#json('POST', `/nodes/${encodeURIComponent(node)}/approve`, {}, { approved })
  }

  /** @param reason undefined: it is drained no more */
  drain(node: string, reason: string | undefined): Promise<OperatorNode> {
    const body = reason === undefined ? { drained: false } : { drained: true, reason }
    return this.#json('POST', `/nodes/${encodeURIComponent(node)}/drain`, {}, body)
  }

  /** @param nextBoot undefined: it boots as always */
  nextBoot(node: string, nextBoot: NextBoot | undefined): Promise<OperatorNode> {
    const body = { next_boot: nextBoot ?? null }
    return this.#json('POST', `/nodes/${encodeURIComponent(node)}/next-boot`, {}, body)
  }

  forget(node: string): Promise<OperatorNode> {
    return this.#json('POST', `/nodes/${encodeURIComponent(node)}/forget`)
  }

  async actions(): Promise<OperatorActionSummary[]> {
    const list: ActionList = await this.#json('GET', '/actions')
    return list.actions
  }

  action(id: string): Promise<OperatorAction> {
    return this.#json('GET', `/actions/${encodeURIComponent(id)}`)
  }

  startAction(body: Partial<ActionBody>): Promise<OperatorAction> {
    return this.#json('POST', '/actions', {}, body)
  }

  stopAction(id: string): Promise<OperatorAction> {
    return this.#json('POST', `/actions/${encodeURIComponent(id)}/stop`)
  }

  async tokens(): Promise<OperatorToken[]> {
    const list: TokenList = await this.#json('GET', '/tokens')
    return list.tokens
  }

  makeToken(role: string, name: string): Promise<NewOperatorToken> {
    return this.#json('POST', '/tokens', {}, { role, name })
  }

  revokeToken(id: string): Promise<OperatorToken> {
    return this.#json('DELETE', `/tokens/${encodeURIComponent(id)}`)
  }

  /** The newest lines of the audit trail, newest first. */
  async audit(limit: number): Promise<AuditPage['lines']> {
    const page: AuditPage = await this.#json('GET', '/audit', { limit })
    return page.lines
  }

  /** Events as they come, after an id; goes on where it was broken off. `onLost` is told why. */
  async *follow(
    query: Query,
    afterId: number,
    onLost: (error: BootswarmError) => void,
  ): AsyncGenerator<OperatorEvent> {
    let lastId = afterId
    for (;;) {
      try {
        const response = await this.#ask('GET', '/events/stream', { ...query, after: lastId })
        const lines = new EventLines()
        for await (const part of response) {
          for (const event of lines.push(part as Buffer)) {
            lastId = event.id
            yield event
          }
        }
      } catch (error) {
        const lost = asLost(error, this.name)
        if (lost === undefined) throw error
        onLost(lost)
      }
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #json<T>(method: string, path: string, query: Query = {}, body?: object): Promise<T> {
    const response = await this.#ask(method, path, query, body)
    return parse(await read(response), this.name) as T
  }

  /** The answer, if it is none about an error. */
  async #ask(method: string, path: string, query: Query, body?: object): Promise<IncomingMessage> {
    const asked = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)])
    const parameters = asked.length === 0 ? '' : `?${new URLSearchParams(asked)}`
    const text = body === undefined ? undefined : JSON.stringify(body)
    const outgoing = request({
      agent: this.#agent,
      method,
      path: `/api/v1${path}${parameters}`,
      headers: {
        ...this.#door.headers,
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    })
    outgoing.end(text)
    const response = await answerTo(outgoing, this.name)
    if (response.statusCode === 200) return response
    throw errorOf(response.statusCode ?? 0, parse(await read(response), this.name), this.name)
  }
}

function eventsPath(node: string | undefined): string {
  return node === undefined ? '/events' : `/nodes/${encodeURIComponent(node)}/events`
}

/** One connection after the other, each through the door. */
class DoorAgent extends Agent {
  readonly #door: Door

  constructor(door: Door) {
    super({ keepAlive: true, maxSockets: 1 })
    this.#door = door
  }

  override createConnection(
    _options: object,
    done?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    this.#door.open().then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    )
  }
}

function answerTo(outgoing: ClientRequest, name: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.setTimeout(silentMs, () =>
      outgoing.destroy(
        new BootswarmError('SERVER_UNREACHABLE', `${name} has said nothing for ${silentMs / 1000} s`),
      ),
    )
    outgoing.once('response', resolve)
    outgoing.once('error', (error) => reject(asLost(error, name) ?? error))
  })
}

/** A connection that was broken off. */
function asLost(error: unknown, name: string): BootswarmError | undefined {
  if (error instanceof BootswarmError) {
    const again: readonly ErrorCode[] = ['SERVER_UNREACHABLE', 'SERVER_NOT_RUNNING', 'EVENT_STREAMS_TOO_MANY']
    return again.includes(error.code) ? error : undefined
  }
  if (!(error instanceof Error && 'code' in error)) return undefined
  const text = `the connection to ${name} was lost (${error.message}): the server may have been restarted`
  return new BootswarmError('SERVER_UNREACHABLE', text, { cause: error })
}

async function read(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response) {
    parts.push(part as Buffer)
    bytes += (part as Buffer).length
    if (bytes > answerBytesMax) throw new BootswarmError('API_UNREADABLE', 'the answer is too large')
  }
  return Buffer.concat(parts).toString()
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `${name} has sent what is no answer of a bootswarm server: is it the operators' port (8444)?`
    throw new BootswarmError('API_UNREADABLE', message, { cause })
  }
}

/** What helps against an error, where its message does not say it. */
const advice: Partial<Record<ErrorCode, string>> = {
  TOKEN_INVALID: 'on the server `sudo ./bootswarm token new --role view` makes another',
  ROLE_TOO_LOW: 'on the server `sudo ./bootswarm token new` makes a token with another role',
  ROUTE_NOT_FOUND: 'server and command are of different versions',
}

function errorOf(status: number, body: unknown, name: string): BootswarmError {
  const { code, message } = (body ?? {}) as { code?: unknown; message?: unknown }
  const text = typeof message === 'string' ? message : `status ${status}`
  const known = errorCodes.find((candidate) => candidate === code)
  // A newer server may have codes that are not known here.
  if (known === undefined) return new BootswarmError('API_UNREADABLE', `${name}: ${String(code)}: ${text}`)
  const help = advice[known]
  return new BootswarmError(known, help === undefined ? text : `${text}: ${help}`)
}
