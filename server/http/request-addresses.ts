/** The addresses at both ends of a request's connection. */
import type { FastifyRequest } from 'fastify'
import { plainAddress } from '../../src/net.js'

/** The client's. */
export function clientAddress(request: FastifyRequest): string {
  return plainAddress(request.socket.remoteAddress ?? '')
}

/** The server's, as the client reached it. */
export function serverAddress(request: FastifyRequest): string {
  return plainAddress(request.socket.localAddress ?? '')
}
