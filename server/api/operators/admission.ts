/**
 * Who may ask what at a listener of the operators' API. On the Unix socket: whoever may open it, everything. Over HTTPS: who has a
 * token, what its role includes.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BootswarmError } from '../../../src/errors.js'
import { LineBudget } from '../../../src/line-budget.js'
import { addressOwner } from '../../../src/net.js'
import { includesRole, type Role } from '../../../src/roles.js'
import { TokenBuckets } from '../../../src/token-bucket.js'
import { clientAddress } from '../../http/request-addresses.js'
import type { Author } from './services.js'
import type { Token, Tokens } from './tokens.js'

/** Wrong tokens of one address: a burst that an operator with an old script may send, then one in six seconds. */
const tries = { burst: 10, everyS: 6, addressesMax: 4096 } as const
/** Lines about them in the log, from all addresses together. */
const lines = { perSecond: 1, burst: 20 } as const

/** What the command line says of who runs it, on the Unix socket. */
const userName = /^[A-Za-z0-9_.@-]{1,64}$/

/** Who asks. */
export interface Caller extends Author {
  readonly role: Role
  /** Of the token; undefined on the Unix socket. */
  readonly tokenId: string | undefined
}

/** A log; pino fits. */
export interface AdmissionLog {
  warn(facts: object, message: string): void
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may ask, of the operators' API. */
    readonly role?: Role | 'anybody'
  }
  interface FastifyRequest {
    /** Null before the admission, and where anybody may ask. */
    caller: Caller | null
  }
}

/** Tells callers at one listener. */
export type CallerOf = (request: FastifyRequest) => Caller

/** On the Unix socket. */
export const localCaller: CallerOf = (request) => {
  const user = request.headers['bootswarm-user']
  const said = typeof user === 'string' && userName.test(user) ? ` (${user})` : ''
  return { who: `local${said}`, address: 'local', role: 'admin', tokenId: undefined }
}

/** Over HTTPS. `nowMs` never goes back. */
export function tokenCaller(tokens: Tokens, log: AdmissionLog, nowMs: () => number): CallerOf {
  const buckets = new TokenBuckets(tries.addressesMax, 1 / tries.everyS, tries.burst)
  const budget = new LineBudget(lines.perSecond, lines.burst)
  return (request) => {
    const address = clientAddress(request)
    const text = bearerOf(request)
    const token = tokens.check(text)
    if (token !== undefined) return withToken(token, address)
    // A right token is always let in: who tries others behind the same address locks nobody out, and cannot guess one.
    if (!buckets.take(addressOwner(address), 1, nowMs())) {
      const message = 'too many wrong tokens from this address'
      throw new BootswarmError('TOKEN_TRIES_TOO_MANY', message, { retryAfterS: tries.everyS })
    }
    const leftOut = budget.take(nowMs())
    if (leftOut !== undefined) {
      const facts = { event: 'operators.token-refused', address, ...(leftOut > 0 ? { leftOut } : {}) }
      log.warn(facts, `${address} has no right token for the operators' port`)
    }
    throw new BootswarmError('TOKEN_INVALID', 'this token was never given, or it has been revoked')
  }
}

/** Lets in who may ask what a route answers; a route must say who that is. */
export function admitCallers(app: FastifyInstance, callerOf: CallerOf): void {
  app.decorateRequest('caller', null)
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.role === undefined) throw new Error(`${url} does not say who may ask for it`)
  })
  app.addHook('onRequest', async (request, reply) => {
    const { role } = request.routeOptions.config
    // Undefined: there is no such path.
    if (role === undefined || role === 'anybody') return
    // RFC 9110, 11.6.1; taken away where the token is right.
    reply.header('www-authenticate', 'Bearer')
    const caller = callerOf(request)
    reply.removeHeader('www-authenticate')
    if (!includesRole(caller.role, role)) {
      throw new BootswarmError(
        'ROLE_TOO_LOW',
        `this token's role is ${caller.role}: here it has to be ${role}`,
      )
    }
    request.caller = caller
  })
}

function withToken(token: Token, address: string): Caller {
  const { id, name, role } = token
  return { who: `token ${id}${name === '' ? '' : ` (${name})`}`, address, role, tokenId: id }
}

function bearerOf(request: FastifyRequest): string {
  const [, text] = /^Bearer +([\x21-\x7e]{1,256})$/i.exec(request.headers.authorization ?? '') ?? []
  if (text !== undefined) return text
  throw new BootswarmError('TOKEN_MISSING', 'send a token: Authorization: Bearer bsw_...')
}
