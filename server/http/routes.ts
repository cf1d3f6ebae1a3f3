/**
 * The routes of docs/protocol.md, for both listeners; `secure` tells which one. Reads requests into valid values
 * and asks the services; decides nothing.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { kernelArch } from '../../src/arch.js'
import { BootswarmError } from '../../src/errors.js'
import { parseEvents } from '../../src/events.js'
import { EVENTS_BYTES_MAX } from '../../src/limits.js'
import { MANIFEST_CONTENT_TYPE } from '../../src/manifest.js'
import { encodeManifestBody, MANIFEST_CODING } from '../../src/manifest-coding.js'
import { isNonce } from '../../src/manifest-limits.js'
import { isLoopback } from '../../src/net.js'
import { isNodeId } from '../../src/node-id.js'
import { printableJson } from '../../src/text.js'
import type { ClientLimits } from './client-limits.js'
import { type FileSending, sendFile } from './file-route.js'
import { sendError } from './http-errors.js'
import { registerNetbootRoutes } from './netboot-routes.js'
import { clientAddress, serverAddress } from './request-addresses.js'
import { requestProof } from './request-proof.js'
import type { HttpServices } from './services.js'

/** What the routes need. */
export interface RouteOptions {
  readonly secure: boolean
  readonly services: HttpServices
  readonly sending: Omit<FileSending, 'bytesServed' | 'limits'>
  readonly limits: ClientLimits
}

/** In a thread: a manifest of many artifacts is long. */
const compress = promisify<Uint8Array, Buffer>(gzip)

/** Largest body of an unverified report, one event over plain HTTP. */
const unverifiedBytesMax = 2048

const bootId = /^[0-9a-f]{16}$/
/** `-BW` and 17 bytes. */
const agentPeerId = /^2d4257[0-9a-f]{34}$/
const torrentName = /^([0-9a-f]{40})\.torrent$/

/** Registers all routes but the tracker's. */
export function registerRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { services, secure } = options
  fileRoutes(app, options)
  nodeRoutes(app, options)
  if (services.netboot !== undefined) {
    const { slots: _, ...unlimited } = { ...options.sending, limits: options.limits }
    registerNetbootRoutes(app, {
      netboot: services.netboot,
      artifact: services.artifact,
      sending: { ...unlimited, bytesServed: (bytes) => services.bytesServed(bytes, true) },
    })
  }

  app.get('/healthz', () => ({ ok: true, version: services.version() }))

  app.get('/v1/status', (request, reply) => {
    if (!secure && !isLoopback(clientAddress(request))) return tlsRequired(reply)
    // Indented: people read it with curl alone.
    const text = `${printableJson(services.status(), 2)}\n`
    return reply.header('cache-control', 'no-store').type('application/json').send(text)
  })

  app.get<{ Params: { file: string } }>('/v1/torrents/:file', (request, reply) => {
    const infohash = torrentName.exec(request.params.file)?.[1]
    const torrent = infohash === undefined ? undefined : services.torrent(infohash, serverAddress(request))
    if (torrent === undefined)
      return sendError(reply, 'ARTIFACT_NOT_FOUND', 'no version that is served has this torrent')
    return reply.type('application/x-bittorrent').send(Buffer.from(torrent))
  })
}

function fileRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { secure, services, limits } = options
  const sending = { ...options.sending, limits, turns: limits.sendTurns }
  app.route<{ Params: { sha256: string; name: string } }>({
    method: ['GET', 'HEAD'],
    url: '/v1/artifacts/:sha256/:name',
    handler: (request, reply) => {
      const file = services.artifact(request.params.sha256, request.params.name)
      if (!secure && file?.isBoot !== true) return tlsRequired(reply)
      if (file === undefined) {
        return sendError(
          reply,
          'ARTIFACT_NOT_FOUND',
          'no version that is served has this file; fetch a fresh manifest',
        )
      }
      return sendFile(request, reply, file, {
        ...sending,
        bytesServed: (bytes) => services.bytesServed(bytes, file.isBoot),
      })
    },
  })

  app.route<{ Params: { name: string } }>({
    method: ['GET', 'HEAD'],
    url: '/boot/:name',
    handler: (request, reply) => {
      const file = services.bootFile(request.params.name)
      if (file === undefined)
        return sendError(reply, 'ARTIFACT_NOT_FOUND', 'the current version has no such boot file')
      const { slots: _, ...unlimited } = sending
      return sendFile(request, reply, file, {
        ...unlimited,
        bytesServed: (bytes) => services.bytesServed(bytes, true),
      })
    },
  })
}

function nodeRoutes(app: FastifyInstance, { secure, services, limits }: RouteOptions): void {
  app.get<{ Querystring: Record<string, unknown> }>('/v1/manifest', async (request, reply) => {
    if (!secure) return tlsRequired(reply)
    const { node, nonce, boot = '', arch } = request.query
    if (typeof nonce !== 'string' || !isNonce(nonce)) {
      throw new BootswarmError('MANIFEST_BAD_NONCE', 'nonce must be 32 lower-case hex digits')
    }
    if (typeof boot !== 'string' || (boot !== '' && !bootId.test(boot))) {
      throw new BootswarmError('REQUEST_INVALID', 'boot must be 16 lower-case hex digits')
    }
    const listening = listeningOf(request.query)
    const body = services.manifest({
      node: nodeId(node),
      nonce,
      boot,
      address: clientAddress(request),
      serverAddress: serverAddress(request),
      arch: typeof arch === 'string' ? kernelArch(arch) : undefined,
      proof: requestProof(request, Buffer.alloc(0)),
      ...(listening === undefined ? {} : { listening }),
    })
    // Until it is compressed it waits as it is.
    if (!limits.answers.hold(reply, body.byteLength))
      throw new BootswarmError('ORIGIN_BUSY', 'too many manifests wait for their nodes; ask again later')
    const codings = request.headers['accept-encoding']
    if (accepts(codings, MANIFEST_CODING)) {
      // Nobody but an agent knows this coding, and agents read no other header.
      reply.header('content-encoding', MANIFEST_CODING)
      return reply.send(await encodeManifestBody(body))
    }
    reply.type(MANIFEST_CONTENT_TYPE).header('cache-control', 'no-store')
    if (!accepts(codings, 'gzip')) return reply.send(Buffer.from(body))
    return reply.header('content-encoding', 'gzip').send(await compress(body))
  })

  // Bytes, not objects: the events' own parser bounds them.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: EVENTS_BYTES_MAX }, (_request, body, done) =>
    done(null, body),
  )

  app.post<{ Params: { id: string } }>('/v1/nodes/:id/events', async (request, reply) => {
    const node = nodeId(request.params.id)
    const { body } = request
    if (!secure) {
      // A node that cannot believe our certificate has no other way to say so.
      if (!Buffer.isBuffer(body) || body.length > unverifiedBytesMax) return tlsRequired(reply)
      const [event, ...more] = parseEvents(body)
      if (event?.type !== 'boot.failed' || more.length > 0) return tlsRequired(reply)
      services.unverifiedReceived(node, clientAddress(request), event.data)
      return reply.code(204).send()
    }
    if (!Buffer.isBuffer(body))
      throw new BootswarmError('EVENTS_INVALID', 'the body must be a JSON array of events')
    const address = clientAddress(request)
    // Before it is parsed, which costs more than all the rest.
    services.admitReport(node, address, body.length)
    services.checkReport(node, address, requestProof(request, body))
    const { seedS, wake } = await services.eventsReceived(node, address, parseEvents(body))
    if (seedS === undefined && wake.length === 0) return reply.code(204).send()
    // Agents read canonical JSON: names in order.
    return reply.send({
      ...(seedS === undefined ? {} : { seed_s: seedS }),
      ...(wake.length === 0 ? {} : { wake }),
    })
  })
}

/** Where a node listens that wants its peers with the manifest. */
function listeningOf(query: Record<string, unknown>): { peerId: string; port: number } | undefined {
  const { port, peer_id: peerId } = query
  if (port === undefined && peerId === undefined) return undefined
  const number = typeof port === 'string' && /^[1-9][0-9]{0,4}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) throw new BootswarmError('REQUEST_INVALID', 'port must be 1 to 65535')
  if (typeof peerId !== 'string' || !agentPeerId.test(peerId)) {
    throw new BootswarmError('REQUEST_INVALID', "peer_id must be an agent's, 40 lower-case hex digits")
  }
  return { peerId, port: number }
}

/** Whether the client names this coding, not with `q=0` (RFC 9110, 12.5.3). */
function accepts(header: string | string[] | undefined, wanted: string): boolean {
  return String(header ?? '')
    .split(',')
    .some((coding) => {
      const [, name, quality] = /^\s*([\w-]+)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?$/.exec(coding) ?? []
      return name?.toLowerCase() === wanted && (quality === undefined || Number(quality) > 0)
    })
}

function nodeId(value: unknown): string {
  if (typeof value === 'string' && isNodeId(value)) return value
  const message = 'a node identity is 1-64 characters of a-z 0-9 . _ : -, the first a letter or digit'
  throw new BootswarmError('NODE_ID_INVALID', message)
}

function tlsRequired(reply: FastifyReply): FastifyReply {
  return sendError(reply, 'TLS_REQUIRED', 'ask for this over HTTPS')
}
