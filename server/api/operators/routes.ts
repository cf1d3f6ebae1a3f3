/** The routes of the operators' API (docs/api.md). Reads requests into valid values and asks; decides nothing. */
import type { FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { BootswarmError } from '../../../src/errors.js'
import type { Role } from '../../../src/roles.js'
import { admitCallers, type Caller, type CallerOf } from './admission.js'
import type { EventStreams } from './event-streams.js'
import { namesOf, nodePage } from './node-pages.js'
import { describeRoutes, openApiText } from './openapi.js'
import {
  auditPageSchema,
  auditQuery,
  errorSchema,
  eventPageSchema,
  eventsQuery,
  labelBody,
  newTokenSchema,
  nodePageSchema,
  nodeParams,
  nodeSchema,
  nodesQuery,
  type OperatorEvent,
  type OperatorNode,
  type OperatorToken,
  statusSchema,
  streamHeaders,
  streamQuery,
  tokenBody,
  tokenListSchema,
  tokenParams,
  tokenSchema,
} from './schemas.js'
import type { OperatorServices } from './services.js'
import type { Token, Tokens } from './tokens.js'

/** What the routes need. */
export interface OperatorRoutes {
  readonly services: OperatorServices
  readonly tokens: Tokens
  readonly streams: EventStreams
  /** Who asks, at this listener. */
  readonly callerOf: CallerOf
}

type App = FastifyInstance
const prefix = '/api/v1'

/** Registers all routes. */
export async function registerOperatorRoutes(app: App, options: OperatorRoutes): Promise<void> {
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setSchemaErrorFormatter((issues, where) => {
    const [issue] = issues
    const place = [where, ...(issue?.instancePath.split('/').filter(Boolean) ?? [])].join('.')
    return new BootswarmError('REQUEST_INVALID', `${place}: ${issue?.message ?? 'invalid'}`.slice(0, 300))
  })
  admitCallers(app, options.callerOf)
  await describeRoutes(app)
  // In a context of their own: the description sees what is registered after it.
  await app.register((api, _options, done) => {
    statusRoutes(api, options)
    nodeRoutes(api, options)
    eventRoutes(api, options)
    tokenRoutes(api, options)
    done()
  })
}

function statusRoutes(app: App, { services }: OperatorRoutes): void {
  app
    .withTypeProvider<ZodTypeProvider>()
    .get(`${prefix}/status`, describe('view', 'status', 'The state of the server', statusSchema), () =>
      services.status(),
    )
  let text: string | undefined
  app.get(`${prefix}/openapi.json`, { config: { role: 'anybody' }, schema: { hide: true } }, (_, reply) => {
    text ??= openApiText(app)
    return reply.type('application/json').send(text)
  })
}

function nodeRoutes(app: App, { services }: OperatorRoutes): void {
  const api = app.withTypeProvider<ZodTypeProvider>()
  const node = (id: string) => known(services.node(id))
  api.get(
    `${prefix}/nodes`,
    describe('view', 'listNodes', 'Nodes, filtered and sorted, a page at a time', nodePageSchema, {
      querystring: nodesQuery,
    }),
    ({ query }) => nodePage(services.nodes(), query),
  )
  api.get(
    `${prefix}/nodes/:id`,
    describe('view', 'getNode', 'One node', nodeSchema, { params: nodeParams }),
    ({ params }) => node(params.id),
  )
  api.post(
    `${prefix}/nodes/:id/label`,
    describe('operate', 'labelNode', 'Labels a node, or takes its label away', nodeSchema, {
      params: nodeParams,
      body: labelBody,
    }),
    async ({ params, body, caller }) => {
      node(params.id)
      await services.label(params.id, body.label, known(caller))
      return node(params.id)
    },
  )
  api.post(
    `${prefix}/nodes/:id/forget`,
    describe('operate', 'forgetNode', 'Forgets a node, its events and its label', nodeSchema, {
      params: nodeParams,
    }),
    async ({ params, caller }) => {
      const forgotten = node(params.id)
      await services.forget(params.id, known(caller))
      return forgotten
    },
  )
}

function eventRoutes(app: App, { services, streams }: OperatorRoutes): void {
  const { events } = services
  const api = app.withTypeProvider<ZodTypeProvider>()
  api.get(
    `${prefix}/events`,
    describe('view', 'listEvents', 'Events of all nodes, a page at a time', eventPageSchema, {
      querystring: eventsQuery,
    }),
    ({ query: { after, limit } }) =>
      eventPage(after === undefined ? events.newest(limit) : events.after(after, limit), after),
  )
  api.get(
    `${prefix}/nodes/:id/events`,
    describe('view', 'listEventsOfNode', 'Events of one node, a page at a time', eventPageSchema, {
      params: nodeParams,
      querystring: eventsQuery,
    }),
    ({ params: { id }, query: { after, limit } }) => {
      known(services.node(id))
      return eventPage(events.ofNode(id, after, limit), after)
    },
  )
  api.get(
    `${prefix}/events/stream`,
    {
      config: { role: 'view' },
      schema: {
        operationId: 'streamEvents',
        summary: 'Events as they come (server-sent events); each has an Event as its data, and its id',
        querystring: streamQuery,
        headers: streamHeaders,
        response: {
          200: { description: 'events', content: { 'text/event-stream': { schema: z.string() } } },
          default: errorSchema,
        },
      },
    },
    (request, reply) => {
      const { address, tokenId } = known(request.caller)
      const { after, nodes } = request.query
      const last = request.headers['last-event-id']
      const names = nodes === undefined ? undefined : namesOf(nodes)
      streams.check(address)
      const afterId = last === undefined ? (after ?? events.lastId()) : Number(last)
      const wants = ({ node }: OperatorEvent) => names === undefined || (node !== null && names.has(node))
      reply.hijack()
      streams.open(reply.raw, { address, tokenId, afterId, wants })
    },
  )
}

function tokenRoutes(app: App, { services, tokens, streams }: OperatorRoutes): void {
  const api = app.withTypeProvider<ZodTypeProvider>()
  api.get(
    `${prefix}/tokens`,
    describe('admin', 'listTokens', 'All tokens, revoked ones too', tokenListSchema),
    () => ({ tokens: tokens.list().map(shownToken) }),
  )
  api.post(
    `${prefix}/tokens`,
    describe('admin', 'makeToken', 'Makes a token', newTokenSchema, { body: tokenBody }),
    async ({ body: { role, name }, caller }) => {
      const { text, token } = await tokens.make(role, name, known(caller))
      return { ...shownToken(token), token: text }
    },
  )
  api.delete(
    `${prefix}/tokens/:id`,
    describe('admin', 'revokeToken', 'Revokes a token', tokenSchema, { params: tokenParams }),
    async ({ params: { id }, caller }) => {
      const token = await tokens.revoke(id, known(caller))
      streams.endOf(id)
      return shownToken(token)
    },
  )
  api.get(
    `${prefix}/audit`,
    describe('admin', 'listAudit', 'Who changed what, newest first', auditPageSchema, {
      querystring: auditQuery,
    }),
    ({ query: { before, limit } }) => {
      const lines = services.audit(before, limit).map(({ atMs, ...line }) => ({ ...line, at_ms: atMs }))
      return { lines, next: lines.length < limit ? null : (lines.at(-1)?.id ?? null) }
    },
  )
}

/** What a route is registered with. */
function describe<Answer extends z.ZodType, Asked extends object = object>(
  role: Role,
  operationId: string,
  summary: string,
  answer: Answer,
  asked?: Asked,
) {
  return {
    config: { role },
    schema: { operationId, summary, response: { 200: answer, default: errorSchema }, ...(asked as Asked) },
  }
}

function eventPage(events: readonly OperatorEvent[], after: number | undefined) {
  return { events: [...events], next: events.at(-1)?.id ?? after ?? 0 }
}

function shownToken({ id, role, name, createdMs, revokedMs }: Token): OperatorToken {
  return { id, role, name, created_ms: createdMs, revoked_ms: revokedMs }
}

/** A node, or the caller that the admission has noted. */
function known<T extends OperatorNode | Caller>(found: T | null | undefined): T {
  if (found === undefined) throw new BootswarmError('NODE_UNKNOWN', 'there is no node with this identity')
  if (found === null) throw new Error('a route without admission asks for its caller')
  return found
}
