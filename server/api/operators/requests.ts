/** What the operators' API takes, as the schemas that check it: queries, paths, bodies. */
import { z } from 'zod'
import {
  ACTION_NODES_MAX,
  DRAIN_REASON_LENGTH_MAX,
  HOSTLIST_LENGTH_MAX,
  LABEL_LENGTH_MAX,
  PAGE_MAX,
  TOKEN_NAME_LENGTH_MAX,
} from '../../../src/limits.js'
import { nextBootSchema } from '../../../src/next-boot.js'
import { isNodeId, normalizeMac } from '../../../src/node-id.js'
import { printable } from '../../../src/text.js'
import { eventSources } from '../../../src/timeline.js'
import { actionKinds } from '../../power/action-run.js'
import { stopCauses } from '../../timeline/where-it-stopped.js'
import { role, states } from './schemas.js'

const pageDefault = 200
/** Between two batches of an action, seconds. */
const pauseMaxS = 3600
/** Types of events in one query. */
const typesMax = 64

const printableText = (lengthMax: number) =>
  z
    .string()
    .trim()
    .max(lengthMax)
    .refine((text) => printable(text) === text, 'expected printable text on one line')

/** Columns that nodes can be sorted by. */
export const nodeSorts = [
  'id',
  'hostname',
  'label',
  'rack',
  'address',
  'state',
  'version',
  'first_seen_ms',
  'last_seen_ms',
  'boot_seconds',
] as const

const limit = z.coerce.number().int().min(1).max(PAGE_MAX).default(pageDefault)
const afterId = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional()
const descending = nodeSorts.map((name) => `-${name}` as const)

/** What of its machine a node is looked for by. */
const patterns = z
  .string()
  .max(1024)
  .transform((text) => text.split(','))
  .optional()

/** The query of `GET /nodes`. */
export const nodesQuery = z.strictObject({
  state: listOf(states).optional().describe('one or several, with commas'),
  cause: listOf(stopCauses).optional().describe('one or several, with commas'),
  rack: z
    .string()
    .max(4096)
    .transform((text) => text.split(','))
    .optional()
    .describe('one or several, with commas'),
  nodes: z
    .string()
    .max(HOSTLIST_LENGTH_MAX)
    .optional()
    .describe('hostlist of identities, host names or MACs: rig[001-240]'),
  vendor: patterns.describe('of DMI; one or several, with commas; * stands for anything'),
  product: patterns.describe('of DMI; one or several, with commas; * stands for anything'),
  serial: patterns.describe('of DMI; one or several, with commas; * stands for anything'),
  uuid: patterns.describe('of DMI; one or several, with commas; * stands for anything'),
  pci: patterns.describe(
    'vendor:device of a PCI device, such as 10de:*; one or several, with commas; * stands for anything',
  ),
  mac: patterns.describe(
    'MAC address of any of its network cards; one or several, with commas; * stands for anything',
  ),
  text: z
    .string()
    .max(100)
    .optional()
    .describe('part of identity, host name, label, rack, address, agent or failure, in any case'),
  sort: z
    .enum([...nodeSorts, ...descending])
    .default('id')
    .describe('with a dash: the last first'),
  limit,
  cursor: z.string().max(1024).optional().describe('next of the page before'),
})

/** A MAC address in any notation, as `aa:bb:cc:dd:ee:ff`. */
const macText = z
  .string()
  .max(17)
  .transform((text, context) => {
    const mac = normalizeMac(text)
    if (mac !== undefined) return mac
    context.addIssue({ code: 'custom', message: 'expected a MAC address' })
    return z.NEVER
  })
const filters = {
  source: listOf(eventSources).optional().describe('one or several, with commas'),
  type: z
    .string()
    .max(4096)
    .transform((text) => text.split(','))
    .refine(
      (types) => types.length <= typesMax && types.every((type) => /^[a-z0-9][a-z0-9._-]{0,63}$/.test(type)),
      `expected up to ${typesMax} types such as boot.failed`,
    )
    .optional()
    .describe('one or several, with commas'),
  boot: z
    .string()
    .regex(/^[0-9a-f]{16}$/, 'expected 16 hex digits')
    .optional(),
  since_ms: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('from this time on, milliseconds since 1970'),
}
const mac = macText.optional().describe('of this machine, also before it was a node')
const pages = {
  after: afterId.describe('the first after this id; without it, and `since_ms`, the newest'),
  before: z.coerce
    .number()
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('the newest before this id'),
  limit,
}
const isOneWay = (query: {
  after?: number | undefined
  before?: number | undefined
  since_ms?: number | undefined
}) => query.before === undefined || (query.after ?? query.since_ms) === undefined
const oneWay = 'before goes neither with after nor with since_ms'

/** The query of `GET /events`. */
export const eventsQuery = z
  .strictObject({
    ...filters,
    mac,
    node: z.string().refine(isNodeId, 'expected the identity of a node').optional(),
    ...pages,
  })
  .refine(isOneWay, oneWay)

/** The query of the events of one node. */
export const nodeEventsQuery = z.strictObject({ ...filters, ...pages }).refine(isOneWay, oneWay)

/** The query of `GET /events/stream`. */
export const streamQuery = z.strictObject({
  ...{ ...filters, mac },
  after: afterId.describe('the first after this id; without it, and `since_ms`, what comes from now on'),
  nodes: z
    .string()
    .max(HOSTLIST_LENGTH_MAX)
    .optional()
    .describe('hostlist of identities or MACs: rig[001-240]'),
})

/** The header by which a client goes on where it was broken off. */
export const streamHeaders = z.looseObject({
  'last-event-id': z
    .string()
    .regex(/^[0-9]{1,15}$/)
    .optional()
    .describe('id of the last event that the client had'),
})

/** The query of `GET /audit`. */
export const auditQuery = z.strictObject({
  before: z.coerce
    .number()
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .default(Number.MAX_SAFE_INTEGER)
    .describe('lines before this id'),
  limit,
})

const nodeName = z
  .string()
  .transform((text) => normalizeMac(text) ?? text)
  .refine(isNodeId, 'expected the identity of a node, or a MAC')

/** A node in a path. */
export const nodeParams = z.strictObject({ id: nodeName })

/** An action in a path. */
export const actionParams = z.strictObject({ id: z.string().regex(/^[0-9a-f]{8}$/, 'expected 8 hex digits') })

/** The body of `POST /actions`. */
export const actionBody = z.strictObject({
  kind: z.enum(actionKinds),
  nodes: z.array(nodeName).min(1).max(ACTION_NODES_MAX).describe('identities or MACs'),
  batch: z.int().min(1).max(ACTION_NODES_MAX).optional().describe('nodes in one batch; without it: all'),
  pause_s: z.int().min(0).max(pauseMaxS).default(0).describe('between two batches, seconds'),
  failures_max: z
    .int()
    .min(1)
    .max(ACTION_NODES_MAX)
    .optional()
    .describe('after so many failures no other node has its turn; without it: however many fail'),
  dry_run: z.boolean().default(false).describe('answer what would be done, and do nothing'),
})

/** A token in a path. */
export const tokenParams = z.strictObject({ id: z.string().regex(/^[0-9a-f]{8}$/, 'expected 8 hex digits') })

/** The body of `POST /nodes/ID/label`. */
export const labelBody = z.strictObject({
  label: printableText(LABEL_LENGTH_MAX).describe('empty: none'),
})

/** The body of `POST /nodes/ID/approve`. */
export const approveBody = z.strictObject({
  approved: z.boolean().describe('false: no more'),
})

/** The body of `POST /nodes/ID/drain`. */
export const drainBody = z.strictObject({
  drained: z.boolean().describe('false: no more'),
  reason: printableText(DRAIN_REASON_LENGTH_MAX).default('').describe('for people'),
})

/** The body of `POST /nodes/ID/next-boot`. */
export const nextBootBody = z.strictObject({
  next_boot: nextBootSchema.nullable().describe('null: as always'),
})

/** The body of `POST /tokens`. */
export const tokenBody = z.strictObject({
  role,
  name: printableText(TOKEN_NAME_LENGTH_MAX).default('').describe('for people'),
})

export type ActionBody = z.output<typeof actionBody>
export type EventsQuery = z.output<typeof eventsQuery>
export type NodesQuery = z.output<typeof nodesQuery>

/** Some of the values, with commas. */
function listOf<Value extends string>(values: readonly Value[]) {
  return z
    .string()
    .max(1024)
    .transform((text, context): Value[] => {
      const wanted = text.split(',')
      const known = values.filter((value) => wanted.includes(value))
      if (wanted.every((value) => (values as readonly string[]).includes(value))) return known
      context.addIssue({ code: 'custom', message: `expected some of ${values.join(', ')}` })
      return z.NEVER
    })
}
