/** The events of a boot (docs/protocol.md): their types, and reading a posted array of them, bounded. */

import { z } from 'zod'
import { BootswarmError } from './errors.js'
import { type Inventory, inventorySchema, inventoryType, reportedInventory } from './inventory.js'
import {
  EVENT_DATA_MAX,
  EVENT_STRING_LENGTH_MAX,
  EVENT_UNKNOWN_DATA_BYTES_MAX,
  EVENT_UNKNOWN_DEPTH_MAX,
  EVENTS_BYTES_MAX,
  EVENTS_MAX,
} from './limits.js'

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

/** What the machine is: the one event whose data is not flat. */
export interface InventoryEvent {
  readonly boot: string
  readonly seq: number
  readonly t_ms: number
  readonly type: typeof inventoryType
  /** Of a newer agent it may have more members. */
  readonly data: Inventory
}

/** An event of a type that this release does not know: a newer agent's, kept as it came. */
export interface UnknownEvent {
  readonly boot: string
  readonly seq: number
  readonly t_ms: number
  readonly type: 'unknown'
  /** The type as the agent wrote it. */
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What an agent reports. */
export type AgentEvent = BootEvent | InventoryEvent | UnknownEvent

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
const inventoryEvent = z.strictObject({ ...frame, type: z.literal(inventoryType), data: reportedInventory })
/** A newer frame may have more members. */
const unknownEvent = z.object({
  ...frame,
  type: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, '1-64 characters of a-z 0-9 . _ -'),
  data: z.record(z.string(), z.unknown()).optional(),
})
const events = z.array(z.unknown()).max(EVENTS_MAX)

/**
 * Reads the body of `POST /v1/nodes/ID/events`. Events of unknown types are kept, and further members of `data`.
 *
 * @throws BootswarmError EVENTS_INVALID with the place of the first mistake
 */
export function parseEvents(body: Uint8Array | string): AgentEvent[] {
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
  return checked(events, value, []).map(checkEvent)
}

/** Whether this release knows the type. */
export function isBootEventType(type: unknown): type is BootEventType {
  return typeof type === 'string' && Object.hasOwn(DATA, type)
}

function checkEvent(value: unknown, index: number): AgentEvent {
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
  if (isBootEventType(type)) return checked(event, value, [index]) as unknown as BootEvent
  if (type === inventoryType) {
    const { data, ...rest } = checked(inventoryEvent, value, [index])
    return { ...rest, data: whyTooLarge(data) === undefined ? data : inventorySchema.parse(data) }
  }
  const { type: name, data = {}, ...rest } = checked(unknownEvent, value, [index])
  return { ...rest, type: 'unknown', name, data: boundedUnknown(data) }
}

/** What is too large to keep is left out as a whole: half of it could say something else. */
function boundedUnknown(data: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const left_out = whyTooLarge(data)
  return left_out === undefined ? data : { left_out }
}

function whyTooLarge(data: Readonly<Record<string, unknown>>): string | undefined {
  if (!isShallow(data, EVENT_UNKNOWN_DEPTH_MAX)) return 'nested too deeply'
  const bytes = Buffer.byteLength(JSON.stringify(data))
  return bytes <= EVENT_UNKNOWN_DATA_BYTES_MAX ? undefined : `${bytes} bytes`
}

function isShallow(value: unknown, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return depthMax > 0 && Object.values(value).every((member) => isShallow(member, depthMax - 1))
}

/** @throws BootswarmError EVENTS_INVALID */
function checked<T>(schema: z.ZodType<T>, value: unknown, at: readonly number[]): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const place = [...at, ...(issue?.path ?? [])].join('.')
  throw invalid(`${place || 'the body'}: ${issue?.message ?? 'invalid'}`.slice(0, 300))
}

function invalid(message: string): BootswarmError {
  return new BootswarmError('EVENTS_INVALID', message)
}
