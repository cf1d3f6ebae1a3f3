/** The routes of the operators' API (docs/api.md). Reads requests into valid values and asks; decides nothing. */
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { BootswarmError } from '../../../src/errors.js'
import { actionRoutes } from './action-routes.js'
import { admitCallers } from './admission.js'
import { eventRoutes } from './event-routes.js'
import { nodeConfigSchema } from './node-config-schema.js'
import { nodePage } from './node-pages.js'
import { describeRoutes, openApiText } from './openapi.js'
import {
  approveBody,
  auditQuery,
  drainBody,
  labelBody,
  nextBootBody,
  nodeParams,
  nodesQuery,
  tokenBody,
  tokenParams,
} from './requests.js'
import { type App, describe, known, type OperatorRoutes, prefix } from './routing.js'
import {
  auditPageSchema,
  newTokenSchema,
  nodePageSchema,
  nodeSchema,
  type OperatorNode,
  type OperatorToken,
  statusSchema,
  tokenListSchema,
  tokenSchema,
  wholeNodeSchema,
  whySchema,
} from './schemas.js'
import type { OperatorServices } from './services.js'
import type { Token } from './tokens.js'

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
    nodeChangeRoutes(api, options)
    actionRoutes(api, options)
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
  const bare = (id: string) => known(services.node(id))
  api.get(
    `${prefix}/nodes`,
    describe(
      'view',
      'listNodes',
      'Nodes, and machines that are none yet, filtered and sorted, a page at a time',
      nodePageSchema,
      { querystring: nodesQuery },
    ),
    ({ query }) => nodePage(services.nodes(), query, services),
  )
  api.get(
    `${prefix}/nodes/:id`,
    describe('view', 'getNode', 'One node or machine', wholeNodeSchema, { params: nodeParams }),
    async ({ params }) => {
      const one = await withCause(services, params.id)
      return { ...one, inventory: services.inventoryOf(one.id) ?? null }
    },
  )
  api.get(
    `${prefix}/nodes/:id/why`,
    describe('view', 'explainNode', 'Where the newest boot of a node stopped', whySchema, {
      params: nodeParams,
    }),
    ({ params }) => services.why(bare(params.id)),
  )
  api.get(
    `${prefix}/nodes/:id/config`,
    describe(
      'view',
      'getNodeConfig',
      'What a node gets, and which line of the configuration gives it',
      nodeConfigSchema,
      {
        params: nodeParams,
      },
    ),
    ({ params }) => services.configOf(bare(params.id)),
  )
}

/** @throws BootswarmError NODE_UNKNOWN */
async function withCause(services: OperatorServices, id: string): Promise<OperatorNode> {
  const [node] = await services.withCauses([known(services.node(id))])
  return known(node)
}

function nodeChangeRoutes(app: App, { services }: OperatorRoutes): void {
  const api = app.withTypeProvider<ZodTypeProvider>()
  const bare = (id: string) => known(services.node(id))
  const node = (id: string) => withCause(services, id)
  api.post(
    `${prefix}/nodes/:id/label`,
    describe('operate', 'labelNode', 'Labels a node, or takes its label away', nodeSchema, {
      params: nodeParams,
      body: labelBody,
    }),
    async ({ params, body, caller }) => {
      const { id } = bare(params.id)
      await services.label(id, body.label, known(caller))
      return node(id)
    },
  )
  api.post(
    `${prefix}/nodes/:id/approve`,
    describe('operate', 'approveNode', 'Lets a node boot whatever `admit` says, or no more', nodeSchema, {
      params: nodeParams,
      body: approveBody,
    }),
    async ({ params, body, caller }) => {
      const { id } = bare(params.id)
      await services.approve(id, body.approved, known(caller))
      return node(id)
    },
  )
  api.post(
    `${prefix}/nodes/:id/drain`,
    describe('operate', 'drainNode', 'Lets a node boot no more, or again', nodeSchema, {
      params: nodeParams,
      body: drainBody,
    }),
    async ({ params, body: { drained, reason }, caller }) => {
      const { id } = bare(params.id)
      await services.drain(id, drained ? reason : undefined, known(caller))
      return node(id)
    },
  )
  api.post(
    `${prefix}/nodes/:id/next-boot`,
    describe('operate', 'setNextBoot', 'Sets what a node boots once, at its next boot only', nodeSchema, {
      params: nodeParams,
      body: nextBootBody,
    }),
    async ({ params, body, caller }) => {
      await services.nextBoot(bare(params.id), body.next_boot ?? undefined, known(caller))
      return node(params.id)
    },
  )
  api.post(
    `${prefix}/nodes/:id/forget`,
    describe(
      'operate',
      'forgetNode',
      'Forgets a node or machine, its events, and what operators said of it',
      nodeSchema,
      {
        params: nodeParams,
      },
    ),
    async ({ params, caller }) => {
      const forgotten = await node(params.id)
      await services.forget(forgotten.id, known(caller))
      return forgotten
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

function shownToken({ id, role, name, createdMs, revokedMs }: Token): OperatorToken {
  return { id, role, name, created_ms: createdMs, revoked_ms: revokedMs }
}
