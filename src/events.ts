/** The events of a boot (docs/protocol.md): their types, and reading a posted array of them, bounded. */

import { z } from 'zod'
import { BootswarmError } from './errors.js'
import { EVENT_DATA_MAX, EVENT_STRING_LENGTH_MAX, EVENTS_BYTES_MAX, EVENTS_MAX } from './limits.js'

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const seconds = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER)
const text = z.string().max(EVENT_STRING_LENGTH_MAX)

/** What each type says, at least; more scalars may stand beside. */
const DATA = {
  'boot.started': { agent: text, mem_total_bytes: count },
  'manifest.verified': { version: count, artifacts: count },
  'artifact.started': { name: text, size_bytes: count },
  'artifact.downloaded': {
    name: text,
    from_peers_bytes: count,
    from_origin_bytes: count,
    duplicate_bytes: count,
    seconds,
  },
  'artifact.unpacked': { name: text, entries: count },
  progress: {
    done_bytes: count,
    total_bytes: count,
    peers: count,
    from_peers_bytes: count,
    from_origin_bytes: count,
  },
  'peer.banned': { addr: text, code: text },
  'boot.completed': { seconds, from_peers_bytes: count, from_origin_bytes: count, version: count },
  'boot.failed': { code: text, message: text, retry_in_s: seconds },
  'artifact.dropped': { name: text, size_bytes: count, uploaded_bytes: count },
  seeding: { version: count, held_bytes: count, uploaded_bytes: count, mem_available_bytes: count },
  'seeding.ended': { reason: text, uploaded_bytes: count, given_back_bytes: count },
} as const

/** The known types of events. */
export type BootEventType = keyof typeof DATA
/** A member of an event's `data`. */
export type Scalar = string | number | boolean

/** One event, parsed. */
export type BootEvent = {
  [T in BootEventType]: {
    /** The boot it belongs to: 16 lower-case hex digits. */
    readonly boot: string
    readonly seq: number
    /** Since the agent's start. */
    readonly t_ms: number
    readonly type: T
    readonly data: { readonly [K in keyof (typeof DATA)[T]]: z.infer<(typeof DATA)[T][K]> } & {
      readonly [name: string]: Scalar
    }
  }
}[BootEventType]

/** All known types, in the order of a boot. */
export const bootEventTypes = Object.keys(DATA) as BootEventType[]

const scalar = z.union([text, z.number().finite(), z.boolean()])
const frame = {
  boot: z.string().regex(/^[0-9a-f]{16}$/, '16 lower-case hex digits'),
  seq: count,
  t_ms: count,
}
const event = z.discriminatedUnion(
  'type',
  bootEventTypes.map((type) =>
    z.strictObject({
      ...frame,
      type: z.literal(type),
      data: z
        .object(DATA[type])
        .catchall(scalar)
        .refine((data) => Object.keys(data).length <= EVENT_DATA_MAX, `at most ${EVENT_DATA_MAX} members`),
    }),
  ) as unknown as [z.ZodObject<{ type: z.ZodLiteral<string> }>],
)
const events = z.array(event).max(EVENTS_MAX)

/**
 * Reads the body of `POST /v1/nodes/ID/events`. Unknown types are refused, further members of `data` kept.
 *
 * @throws BootswarmError EVENTS_INVALID with the place of the first mistake
 */
export function parseEvents(body: Uint8Array | string): BootEvent[] {
  const size = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  if (size > EVENTS_BYTES_MAX) throw invalid(`${size} bytes, at most ${EVENTS_BYTES_MAX}`)
  let value: unknown
  try {
    value = JSON.parse(
      typeof body === 'string' ? body : new TextDecoder('utf-8', { fatal: true }).decode(body),
    )
  } catch (cause) {
    throw invalid(`not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  return checkEvents(value)
}

/**
 * The same for JSON that is parsed already. The size of the body must have been bounded before.
 *
 * @throws BootswarmError EVENTS_INVALID
 */
function checkEvents(value: unknown): BootEvent[] {
  const parsed = events.safeParse(value)
  if (parsed.success) return parsed.data as unknown as BootEvent[]
  const issue = parsed.error.issues[0]
  throw invalid(`${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'invalid'}`.slice(0, 300))
}

function invalid(message: string): BootswarmError {
  return new BootswarmError('EVENTS_INVALID', message)
}
