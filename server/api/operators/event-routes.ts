/** The routes of events: of all, of one node, and as they come. */
import type { FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { BootswarmError } from '../../../src/errors.js'
import { type EventSource, eventSources, type TimelineEvent } from '../../../src/timeline.js'
import type { EventFilter } from '../../store/store.js'
import { namesOf } from './node-pages.js'
import {
  type EventsQuery,
  eventsQuery,
  nodeEventsQuery,
  nodeParams,
  streamHeaders,
  streamQuery,
} from './requests.js'
import { type App, describe, known, type OperatorRoutes, prefix } from './routing.js'
import { type EventPage, errorSchema, eventPageSchema } from './schemas.js'
import type { EventReader } from './services.js'
import { eventPageView } from './views.js'

/** Facts of DHCP and TFTP come from another process a moment late, with the time at which they happened, milliseconds. */
const lateMs = 10_000

type Filters = Pick<EventsQuery, 'source' | 'type' | 'boot' | 'since_ms'> & Partial<Pick<EventsQuery, 'mac'>>

/** Registers them. */
export function eventRoutes(app: App, options: OperatorRoutes): void {
  const { services } = options
  const { events } = services
  const api = app.withTypeProvider<ZodTypeProvider>()
  api.get(
    `${prefix}/events`,
    describe('view', 'listEvents', 'Events of all, a page at a time', eventPageSchema, {
      querystring: eventsQuery,
    }),
    (request) => readPage(events, { ...filterOf(request), node: request.query.node }, request.query),
  )
  api.get(
    `${prefix}/nodes/:id/events`,
    describe('view', 'listEventsOfNode', 'Events of one node or machine, a page at a time', eventPageSchema, {
      params: nodeParams,
      querystring: nodeEventsQuery,
    }),
    (request) => {
      const { id } = known(services.node(request.params.id))
      const whose = services.isNode(id) ? { node: id } : { mac: id }
      return readPage(events, { ...filterOf(request), ...whose }, request.query)
    },
  )
  streamRoute(app, options)
}

function streamRoute(app: App, { services: { events }, streams }: OperatorRoutes): void {
  app.withTypeProvider<ZodTypeProvider>().get(
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
      const { nodes } = request.query
      const filter = filterOf(request)
      const last = request.headers['last-event-id']
      const names = nodes === undefined ? undefined : namesOf(nodes)
      streams.check(address)
      const afterId = last === undefined ? (startOf(events, request.query) ?? events.lastId()) : Number(last)
      const wants = ({ node = '', mac = '' }: TimelineEvent) =>
        names === undefined || names.has(node) || names.has(mac)
      reply.hijack()
      streams.open(reply.raw, { address, tokenId, afterId, filter, wants })
    },
  )
}

/** @throws BootswarmError ROLE_TOO_LOW */
function filterOf({
  query: { source, type, mac, boot, since_ms: sinceMs },
  caller,
}: Pick<FastifyRequest, 'caller'> & { query: Filters }): EventFilter {
  return { sources: sourcesFor(known(caller).role === 'admin', source), types: type, mac, boot, sinceMs }
}

/** What operators did is the audit trail, which is for admins. @throws BootswarmError ROLE_TOO_LOW */
function sourcesFor(
  isAdmin: boolean,
  wanted: readonly EventSource[] | undefined,
): readonly EventSource[] | undefined {
  if (isAdmin) return wanted
  if (wanted?.includes('operator') === true)
    throw new BootswarmError('ROLE_TOO_LOW', 'events of operators are for the role admin')
  return wanted ?? eventSources.filter((source) => source !== 'operator')
}

function readPage(
  events: EventReader,
  filter: EventFilter,
  query: Pick<EventsQuery, 'after' | 'before' | 'since_ms' | 'limit'>,
): EventPage {
  const afterId = startOf(events, query)
  if (afterId !== undefined) return eventPageView(events.after(afterId, filter, query.limit), { afterId })
  const beforeId = query.before ?? events.lastId() + 1
  return eventPageView(events.before(beforeId, filter, query.limit), { beforeId })
}

/** The id after which a query begins; undefined: it goes backwards. */
function startOf(
  events: EventReader,
  { after, since_ms: sinceMs }: Pick<EventsQuery, 'after' | 'since_ms'>,
): number | undefined {
  if (sinceMs === undefined) return after
  return Math.max(after ?? 0, events.idBefore(sinceMs - lateMs))
}
