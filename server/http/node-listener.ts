/** The listeners of the nodes' ports: their routes, and answers without what no agent reads. */
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { MANIFEST_CODING } from '../../src/manifest-coding.js'
import { type Listener, type ListenerOptions, listen } from './listener.js'
import { type RouteOptions, registerRoutes } from './routes.js'

/**
 * What booting nodes ask for, each many times at once: without the headers that no agent reads, which would be half
 * of an answer. An HTTP/1.1 connection stays open without a header.
 */
const terseRoutes = /^\/(?:announce|scrape|v1\/manifest|v1\/nodes\/)/

/** Asked by agents alone. */
const agentRoutes = /^\/announce\?(?:.*&)?peer_id=-BW|^\/v1\/nodes\//

/** What a listener for nodes is made of. */
export interface NodeListenerOptions
  extends Omit<ListenerOptions, 'routes' | 'keys' | 'name'>,
    Omit<RouteOptions, 'secure'> {
  readonly plugins: readonly FastifyPluginAsync[]
}

/**
 * Starts to listen.
 *
 * @throws BootswarmError ADDRESS_IN_USE
 */
export function listenForNodes(options: NodeListenerOptions): Promise<Listener> {
  const secure = options.tls !== undefined
  const key = secure ? 'https' : 'http'
  return listen({
    ...options,
    keys: { port: `${key}.port`, host: 'bind' },
    name: key.toUpperCase(),
    routes: async (app) => {
      omitHeaders(app)
      registerRoutes(app, { ...options, secure })
      for (const plugin of options.plugins) await app.register(plugin)
    },
  })
}

function omitHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!terseRoutes.test(request.url)) return
    reply.raw.removeHeader('date')
    reply.raw.removeHeader('connection')
  })
  app.addHook('onSend', async (request, reply) => {
    // What only agents ask for, they know the type of.
    const isTerse = reply.statusCode === 200 && agentRoutes.test(request.url)
    if (isTerse || reply.getHeader('content-encoding') === MANIFEST_CODING) reply.removeHeader('content-type')
  })
}
