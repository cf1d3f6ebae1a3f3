/** The two ends of a request's connection. */
import type { FastifyRequest } from 'fastify'
import { plainAddress } from '../../src/net.js'

/** Who asks. */
export function clientAddress(request: FastifyRequest): string {
  return plainAddress(request.socket.remoteAddress ?? '')
}

/** Our own address, as the client reached it. */
export function serverAddress(request: FastifyRequest): string {
  return plainAddress(request.socket.localAddress ?? '')
}
