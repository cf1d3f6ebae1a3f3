/**
 * The routes of network boot: boot programs, the scripts of the nodes, and the files that those name. Over HTTP and
 * HTTPS alike: firmware and iPXE of today speak HTTP. No redirects, and a length on every answer: firmware wants both.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { normalizeMac } from '../../src/node-id.js'
import { whenOver } from './answer-end.js'
import { type FileSending, sendFile } from './file-route.js'
import { sendError } from './http-errors.js'
import { clientAddress, serverAddress } from './request-addresses.js'
import type { NetbootAnswers, ServedFile } from './services.js'

/**
 * A download that was cut off begins anew, and iPXE tries a few times only. The queue takes turns from the slow, and closes
 * their connections where others need the room; this is for those that nobody waits for.
 */
const slowWindowMs = 300_000

/** What the routes need. */
export interface NetbootRouteOptions {
  readonly netboot: NetbootAnswers
  readonly artifact: (sha256: string, name: string) => ServedFile | undefined
  readonly sending: Omit<FileSending, 'slots'>
}

/** Registers the routes. */
export function registerNetbootRoutes(app: FastifyInstance, options: NetbootRouteOptions): void {
  const { netboot } = options

  app.route<{ Params: { arch: string; file: string } }>({
    method: ['GET', 'HEAD'],
    url: '/v1/ipxe/bin/:arch/:file',
    config: { isAnswerShared: true },
    handler: (request, reply) => {
      const { arch, file } = request.params
      const bytes = netboot.program(`${arch}/${file}`, serverAddress(request))
      if (bytes === undefined)
        return sendError(reply, 'BOOT_PROGRAM_MISSING', 'there is no such boot program')
      if (request.method === 'GET') tellProgram(request, reply, `${arch}/${file}`, bytes.length, netboot)
      return reply
        .type('application/octet-stream')
        .header('content-length', bytes.length)
        .send(request.method === 'HEAD' ? undefined : viewOf(bytes))
    },
  })

  app.get<{ Params: { mac: string }; Querystring: Record<string, unknown> }>(
    '/v1/ipxe/script/:mac',
    async (request, reply) => {
      const mac = normalizeMac(request.params.mac)
      if (mac === undefined) {
        return sendError(reply, 'NODE_ID_INVALID', 'the path must end with a MAC address: aa-bb-cc-dd-ee-ff')
      }
      const { arch, tries } = request.query
      const gone = new AbortController()
      whenOver(reply, () => gone.abort())
      const script = await netboot.script({
        mac,
        arch: typeof arch === 'string' ? archName(arch) : undefined,
        tries: typeof tries === 'string' && /^[0-9]{1,2}$/.test(tries) ? Number(tries) : 0,
        address: clientAddress(request),
        serverAddress: serverAddress(request),
        gone: gone.signal,
      })
      return reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(script)
    },
  )

  app.route<{ Params: { mac: string; sha256: string; name: string } }>({
    method: ['GET', 'HEAD'],
    url: '/v1/ipxe/file/:mac/:sha256/:name',
    handler: (request, reply) => fileOfNode(request, reply, request.params, options),
  })
}

function fileOfNode(
  request: FastifyRequest,
  reply: FastifyReply,
  { mac: text, sha256, name }: { mac: string; sha256: string; name: string },
  { netboot, artifact, sending }: NetbootRouteOptions,
) {
  const mac = normalizeMac(text)
  const file = artifact(sha256, name)
  if (mac === undefined || file?.isBoot !== true) {
    return sendError(reply, 'ARTIFACT_NOT_FOUND', 'no version that is served has this boot file')
  }
  if (request.method === 'HEAD') return sendFile(request, reply, file, sending)
  const { socket } = request
  const beforeBytes = takenBytes(socket)
  const movedBytes = () => takenBytes(socket) - beforeBytes
  const fetch = netboot.fetch({
    mac,
    address: clientAddress(request),
    file: sha256,
    name,
    movedBytes,
    close: () => sending.limits.connections.reset(socket),
  })
  if (fetch === undefined) {
    reply.header('retry-after', sending.retryAfterMinS)
    return sendError(reply, 'ORIGIN_BUSY', 'it is not this node’s turn; its script tells when it is')
  }
  const over = sending.limits.sendTurns.goesFirst(clientAddress(request), {
    movedBytes,
    isCrawling: () => fetch.isCrawling(),
  })
  whenOver(reply, () => {
    over()
    fetch.end(reply.raw.writableFinished && reply.statusCode === 200)
  })
  return sendFile(request, reply, file, { ...sending, slowWindowMs })
}

/** Tells what was sent of a boot program when its answer is over. */
function tellProgram(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  sizeBytes: number,
  netboot: NetbootAnswers,
): void {
  const { socket } = request
  const address = clientAddress(request)
  const beforeBytes = takenBytes(socket)
  whenOver(reply, () => {
    // There was no room for it.
    if (reply.statusCode !== 200) return
    const isWhole = reply.raw.writableFinished
    const sentBytes = isWhole ? sizeBytes : Math.min(sizeBytes, takenBytes(socket) - beforeBytes)
    netboot.programSent({ name, address, sizeBytes, sentBytes, isWhole })
  })
}

/** What the system has taken to send; the rest waits in this process until the client reads. */
function takenBytes({ bytesWritten, writableLength }: FastifyRequest['socket']): number {
  return bytesWritten - writableLength
}

/** The same bytes: no copy for each client. */
function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** An architecture as iPXE names it; any other text is an unknown name. */
function archName(text: string): string {
  return /^[a-z0-9_-]{1,16}$/i.test(text) ? text : 'unknown'
}
