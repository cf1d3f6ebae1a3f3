/** The end of an answer, however it comes. */
import type { FastifyReply } from 'fastify'

/**
 * Calls back once when an answer is over: sent, broken off, never begun, or over before this is called. What an answer holds is
 * given back here and nowhere else.
 */
export function whenOver({ raw }: FastifyReply, run: () => void): void {
  if (raw.closed || raw.destroyed || raw.socket === null || raw.socket.destroyed) run()
  else raw.once('close', run)
}
