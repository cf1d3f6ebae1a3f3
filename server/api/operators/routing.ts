/** What all routes of the operators' API are made with. */
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import { BootswarmError } from '../../../src/errors.js'
import type { Role } from '../../../src/roles.js'
import type { Caller, CallerOf } from './admission.js'
import type { EventStreams } from './event-streams.js'
import { errorSchema } from './schemas.js'
import type { OperatorServices } from './services.js'
import type { Tokens } from './tokens.js'
import type { BareNode } from './views.js'

/** What the routes need. */
export interface OperatorRoutes {
  readonly services: OperatorServices
  readonly tokens: Tokens
  readonly streams: EventStreams
  /** Who asks, at this listener. */
  readonly callerOf: CallerOf
}

export type App = FastifyInstance

/** Of all paths. */
export const prefix = '/api/v1'

/** What a route is registered with. */
export function describe<Answer extends z.ZodType, Asked extends object = object>(
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

/**
 * A node, or the caller that the admission has noted.
 *
 * @throws BootswarmError NODE_UNKNOWN
 */
export function known<T extends BareNode | Caller>(found: T | null | undefined): T {
  if (found === undefined)
    throw new BootswarmError(
      'NODE_UNKNOWN',
      'there is no node with this identity, and no machine with this MAC',
    )
  if (found === null) throw new Error('a route without admission asks for its caller')
  return found
}
