/**
 * One HTTP or HTTPS listener: its limits, its timeouts, its way to end. What it answers is its caller's.
 */
import { constants } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import { BootswarmError } from '../../src/errors.js'
import type { Failures } from '../process/failures.js'
import { limitAnswers } from './answer-memory.js'
import { paceAnswers } from './answer-pace.js'
import type { ClientLimits } from './client-limits.js'
import { admitConnections } from './connections.js'
import { refuseEmptyRecords } from './empty-records.js'
import { refusedFraming } from './framing.js'
import { queueHandshakes } from './handshakes.js'
import { answerClientError, invalidCode, sendError, setErrorHandlers } from './http-errors.js'
import { paceRequests } from './request-pacer.js'

/** Five hundred nodes connect within the same second; the kernel cuts this to net.core.somaxconn. */
const backlog = 1024

/** Connections beyond the bound that are accepted before those that make room for them are closed. */
const connectionsBetween = 1024

/** What the system takes of a client before it is read: a request of 64 KiB comes in four parts. */
const unreadBytesMax = 16 * 1024

/** Largest request header, bytes. */
const headerBytesMax = 8 * 1024

/**
 * Against clients that never finish, milliseconds. A farm that boots at once over a slow link takes its time. An agent
 * tells of itself and asks for peers once a minute at least: another connection would cost more than that.
 */
const timeoutsMs = {
  /** A handshake that takes longer no longer delays others. */
  handshake: 1000,
  header: 30_000,
  request: 60_000,
  idle: 90_000,
  keepAlive: 75_000,
  check: 2000,
  /** The time that running answers have to finish when the server stops. */
  close: 5000,
} as const

/** A certificate and its key, PEM. */
export interface TlsFiles {
  readonly key: string
  readonly cert: string
}

/** A log that the listener writes to; pino fits. */
export interface ListenerLog {
  debug(facts: object, message: string): void
  error(facts: object, message: string): void
}

/** What every application that answers here is made of. */
export interface AppOptions {
  readonly limits: ClientLimits
  /** Present: HTTPS. */
  readonly tls?: TlsFiles
  /** Adds what it answers. */
  readonly routes: (app: FastifyInstance) => void | Promise<void>
  readonly log: ListenerLog
  /** Others in tests. */
  readonly timeoutsMs?: Partial<Record<keyof typeof timeoutsMs, number>>
}

/** What a listener is made of. */
export interface ListenerOptions extends AppOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** The keys of port and host in the configuration, for errors: `https.port`, `bind`. */
  readonly keys: { readonly port: string; readonly host: string }
  /** Whose connections it accepts, where it fails: `HTTPS`. */
  readonly name: string
  readonly failures: Failures
}

/** A listener that runs. */
export interface Listener {
  readonly port: number
  /** Serves new connections with another certificate. */
  setTls(tls: TlsFiles): void
  /** Takes no more connections, lets running answers finish within a bound, ends the rest. */
  close(): Promise<void>
}

/**
 * Starts to listen.
 *
 * @throws BootswarmError ADDRESS_IN_USE
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const app = await makeApp(options)
  const { server } = app
  const { limits } = options
  // Where the share of each address is divided (connections.ts) there is room for this many; more are refused unseen.
  server.maxConnections = limits.connections.max + connectionsBetween
  const { handshake: overdueMs, header: silentMs, close: closeMs } = { ...timeoutsMs, ...options.timeoutsMs }
  const nowMs = () => performance.now()
  const queue = options.tls && queueHandshakes(server, { overdueMs, silentMs, nowMs })
  const closeIdle = admitConnections(server, limits.connections)
  if (options.tls !== undefined) refuseEmptyRecords(server, limits.connections, nowMs)
  let isClosing = false
  paceRequests(server, options.tls !== undefined, {
    turn: (address, run) => limits.turns.take(address, run),
    begun: (socket) => {
      const end = limits.connections.begin(socket)
      return () => {
        end()
        if (isClosing) limits.connections.closeIdle(socket)
      }
    },
  })
  try {
    await app.listen({ host: options.host, port: options.port, backlog })
  } catch (cause) {
    await app.close()
    throw listenError(cause, options)
  }
  limits.connections.limitUnread(server, unreadBytesMax)
  const part = `accepting ${options.name} connections`
  server.on('error', (error) => options.failures.failed(part, error))
  server.on('connection', () => options.failures.worked(part))
  return {
    port: (server.address() as AddressInfo).port,
    setTls: (tls) => {
      if ('setSecureContext' in server && typeof server.setSecureContext === 'function')
        server.setSecureContext(secureOptions(tls))
    },
    close: async () => {
      isClosing = true
      queue?.close()
      closeIdle()
      await closeApp(app, closeMs)
    },
  }
}

/** Takes no more connections, lets running answers finish, and ends those that take longer. */
export async function closeApp(app: FastifyInstance, closeMs: number = timeoutsMs.close): Promise<void> {
  const force = setTimeout(() => app.server.closeAllConnections(), closeMs)
  await app.close()
  clearTimeout(force)
}

/** An application with the bounds of a request and of the answers that wait, which does not listen yet. */
export async function makeApp(options: AppOptions): Promise<FastifyInstance> {
  const { tls, log } = options
  const times = { ...timeoutsMs, ...options.timeoutsMs }
  const limits = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: times.header,
    connectionsCheckingInterval: times.check,
    noDelay: true,
    handshakeTimeout: times.header,
    // Answered by refusedFraming.
    requireHostHeader: false,
  }
  const common = {
    logger: false,
    requestTimeout: times.request,
    connectionTimeout: times.idle,
    keepAliveTimeout: times.keepAlive,
    forceCloseConnections: 'idle' as const,
    bodyLimit: 64 * 1024,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
    clientErrorHandler: answerClientError,
  }
  const app: FastifyInstance =
    tls === undefined
      ? fastify({ ...common, http: limits })
      : (fastify({ ...common, https: { ...limits, ...secureOptions(tls) } }) as unknown as FastifyInstance)
  setErrorHandlers(app, (error, request) =>
    log.error(
      { event: 'http.failed', code: 'INTERNAL', method: request.method, path: request.url, err: error },
      'A request failed',
    ),
  )
  app.addHook('onRequest', async (request, reply) => {
    const refused = refusedFraming(request.raw)
    if (refused === undefined) return
    const [status, message] = refused
    return sendError(reply.header('connection', 'close'), invalidCode(request), message, status)
  })
  limitAnswers(app, options.limits.answers, tls !== undefined)
  paceAnswers(app, options.limits.answerPace)
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request
    const facts = {
      event: 'http.answered',
      method,
      url,
      status: reply.statusCode,
      address: request.ip,
      ms: Math.round(reply.elapsedTime),
    }
    log.debug(facts, `${method} ${url} ${reply.statusCode}`)
  })
  await options.routes(app)
  return app
}

/**
 * TLS 1.3 alone: agents, curl and Node speak it. No state in tickets: a node connects a few times in its life. That none
 * are sent at all is said in openssl.cnf, as Node has no call for it.
 */
function secureOptions(tls: TlsFiles) {
  return { ...tls, minVersion: 'TLSv1.3' as const, secureOptions: constants.SSL_OP_NO_TICKET }
}

function listenError(cause: unknown, { host, port, keys }: ListenerOptions): Error {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE') {
    const message = `TCP port ${port} on ${host} is taken by another program: end it, or set ${keys.port} to a free one`
    return new BootswarmError('ADDRESS_IN_USE', message, { cause })
  }
  if (code === 'EACCES') {
    const message = `TCP port ${port} may not be used by this user: set ${keys.port} to 1024 or more, or start as root`
    return new BootswarmError('ADDRESS_IN_USE', message, { cause })
  }
  if (code === 'EADDRNOTAVAIL') {
    const message = `${host} is no address of this machine: set ${keys.host} to one that is`
    return new BootswarmError('ADDRESS_IN_USE', message, { cause })
  }
  return cause instanceof Error ? cause : new Error(String(cause))
}
