/**
 * What the operators' API answers, as the schemas that check it; requests.ts has what it takes. docs/openapi.json is made from
 * both (openapi.ts), and the command line takes its types from here.
 */
import { z } from 'zod'
import { inventorySchema } from '../../../src/inventory.js'
import { nextBootSources } from '../../../src/next-boot.js'
import { roles } from '../../../src/roles.js'
import { eventSources } from '../../../src/timeline.js'
import { nodeStates } from '../../nodes/state.js'
import { actionKinds, stepStates } from '../../power/action-run.js'
import { netbootStates } from '../../timeline/netboot-state.js'
import { bootPhases } from '../../timeline/phases.js'
import { stopCauses } from '../../timeline/where-it-stopped.js'

/** States of nodes and machines, in the order of a boot. */
export const states = [...netbootStates, ...nodeStates] as const

const count = z.int().min(0)
const ms = count.describe('milliseconds since 1970')
/** What a token may do. */
export const role = z.enum(roles).describe('view: look; operate: change nodes; admin: tokens and audit trail')

/** Any answer that is not a success. */
export const errorSchema = z
  .object({
    code: z.string().describe('stable: docs/errors.md'),
    message: z.string().describe('one line for people'),
  })
  .meta({ id: 'Error' })

/** `GET /status`. */
export const statusSchema = z
  .object({
    site: z.string(),
    program: z.string().describe('version of the server'),
    uptime_s: count,
    version: count.describe('current version of the catalog; 0 before the first'),
    artifacts: z.object({ files: count, size_bytes: count }).describe('of the current version'),
    problems: z
      .array(z.object({ code: z.string(), file: z.string(), message: z.string() }))
      .describe('files that are left out of the catalog; the first 100'),
    failing: z
      .array(
        z.object({ part: z.string(), code: z.string(), message: z.string(), times: count, for_s: count }),
      )
      .describe('parts of the server whose last work failed'),
    nodes: z.record(z.enum(states), count).describe('nodes, and machines that are none yet, by state'),
    reports: z.object({ waiting: count, refused: count }),
    seeding: z.object({
      nodes: count,
      calm_in_s: count.nullable().describe('until nodes are told to end: 0 now, null never'),
    }),
    origin: z
      .object({ https_bytes: count, boot_bytes: count, bittorrent_bytes: count })
      .describe('sent since the start'),
    connections: z.object({ open: count, max: count, refused: count }),
    netboot: z.object({
      mode: z.enum(['proxy', 'full', 'off']),
      running: z.boolean(),
      loading: count.describe('nodes that load kernel and stage 1'),
      waiting: count.describe('nodes that wait for that'),
    }),
    operators: z.object({
      url: z.string().describe('where this API listens; empty: on the Unix socket only'),
      key_sha256: z.string().describe("SHA-256 of the server's public key (SPKI), hex"),
    }),
  })
  .meta({ id: 'Status' })

const cause = z.enum(stopCauses)

/** A node, or a machine that is none yet. */
export const nodeSchema = z
  .object({
    id: z.string().describe('of a machine that is no node yet its MAC'),
    mac: z.string().nullable().describe('aa:bb:cc:dd:ee:ff; null: not known'),
    hostname: z.string(),
    label: z.string().describe('set by operators; may be empty'),
    approved: z.boolean().describe('by an operator: it may boot whatever `admit` says'),
    drained: z
      .object({ reason: z.string() })
      .nullable()
      .describe('by an operator: it does not boot any more; null: it is not'),
    next_boot: z
      .object({
        from: z.enum(nextBootSources),
        profile: z.array(z.string()),
        rootfs: z.string().nullable(),
      })
      .nullable()
      .describe('set by operators: what it boots once, at its next boot only; null: as always'),
    rack: z.string(),
    address: z.string().describe('it last spoke from'),
    state: z
      .enum(states)
      .describe(
        'of its newest boot: up to `starting` its agent has not reported, and nothing below is of that boot',
      ),
    cause: cause.describe('where its newest boot stopped, or BOOTED or UNDER_WAY: docs/troubleshooting.md'),
    boot: z.string().describe('16 hex digits; empty before the first'),
    version: count.describe('of the catalog; 0 before its manifest'),
    agent: z.string().describe('version of its agent'),
    first_seen_ms: ms,
    last_seen_ms: ms,
    boot_started_ms: ms,
    boot_seconds: z.number().min(0).describe('duration of its last finished boot; 0 before'),
    done_bytes: count,
    total_bytes: count,
    from_peers_bytes: count,
    from_origin_bytes: count,
    seeding: z.enum(['no', 'whole', 'part']),
    failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'Node' })

/** `GET /nodes/ID`. */
export const wholeNodeSchema = nodeSchema
  .extend({
    inventory: inventorySchema
      .nullable()
      .describe('what its machine is, as its agent last reported it; null: it never has'),
  })
  .meta({ id: 'WholeNode' })

/** An event. */
const eventSchema = z
  .object({
    id: count.describe('rises with each event; never given twice'),
    at_ms: ms.describe('when it happened by the server’s clock, milliseconds since 1970'),
    source: z.enum(eventSources).describe('who says so'),
    type: z.string().describe('docs/timeline.md; others are of newer agents'),
    mac: z.string().nullable().describe('the machine; null: not known, or of none'),
    node: z.string().nullable().describe('the node that it is; null: none (yet)'),
    boot: z.string().nullable().describe('16 hex digits'),
    t_ms: count.nullable().describe("since the sender's start, milliseconds"),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })

/** Where the newest boot of a node stopped. */
export const whySchema = z
  .object({
    id: z.string(),
    mac: z.string().nullable(),
    hostname: z.string(),
    state: z.enum(states),
    boot: z.string(),
    cause,
    text: z.string().describe('one sentence for people'),
    page: z.string().describe('what to do: a section of docs/troubleshooting.md'),
    phases: z
      .array(
        z.object({
          phase: z.enum(bootPhases),
          started_ms: ms,
          ended_ms: ms.nullable().describe('milliseconds since 1970; null: it is not over'),
        }),
      )
      .describe('of this boot, in order, as far as they were seen'),
    last: eventSchema.nullable().describe('the last event of this boot'),
    alarms: z
      .array(z.object({ at_ms: ms, text: z.string().describe('one sentence for people') }))
      .describe('who tried in its name in this boot (docs/tickets.md), oldest first'),
  })
  .meta({ id: 'Why' })

const tokenFields = {
  id: z.string().describe('the part of the token that may be shown'),
  role,
  name: z.string(),
  created_ms: ms,
  revoked_ms: ms.nullable().describe('milliseconds since 1970; null while it is good'),
}

/** A token without its secret. */
export const tokenSchema = z.object(tokenFields).meta({ id: 'Token' })

/** A token that has just been made. */
export const newTokenSchema = z
  .object({ ...tokenFields, token: z.string().describe('the token itself: shown here and never again') })
  .meta({ id: 'NewToken' })

/** A line of the audit trail. */
const auditSchema = z
  .object({
    id: count,
    at_ms: ms,
    who: z.string().describe('the token, or who used the Unix socket'),
    address: z.string().describe('IP address, or local'),
    action: z.string(),
    target: z.string(),
    detail: z.string(),
  })
  .meta({ id: 'AuditLine' })

const actionFields = {
  id: z.string().describe('8 hex digits; empty: it is only a plan (dry_run)'),
  kind: z.enum(actionKinds),
  state: z
    .enum(['planned', 'running', 'done', 'stopped'])
    .describe('stopped: it did not go through all of its nodes'),
  why: z.string().describe('why it was stopped; empty: it was not'),
  who: z.string().describe('who started it'),
  started_ms: ms,
  ended_ms: ms.nullable().describe('milliseconds since 1970; null: it is not over'),
  batch: count.nullable().describe('nodes in one batch; null: all'),
  pause_s: count.describe('between two batches'),
  failures_max: count.nullable().describe('after so many failures it stops; null: never'),
  total: count.describe('nodes'),
  done: count,
  failed: count,
}

/** An action at the power of nodes, without its nodes. */
const actionSummarySchema = z.object(actionFields).meta({ id: 'ActionSummary' })

/** An action at the power of nodes. */
export const actionSchema = z
  .object({
    ...actionFields,
    nodes: z.array(
      z.object({
        id: z.string(),
        state: z.enum(stepStates).describe('left: its turn did not come'),
        method: z.string().describe('how it is done; empty: not known yet, or there is no way'),
        why: z.string().describe('why it failed; empty: it has not'),
      }),
    ),
  })
  .meta({ id: 'Action' })

/** The answers that are lists. */
export const actionListSchema = z.object({ actions: z.array(actionSummarySchema) })
export const nodePageSchema = z.object({
  nodes: z.array(nodeSchema),
  total: count.describe('nodes that match, on all pages'),
  next: z.string().nullable().describe('cursor of the next page; null: this is the last'),
})
export const eventPageSchema = z.object({
  events: z
    .array(eventSchema)
    .describe('oldest first; there may be fewer than `limit`, or none, and more on other pages'),
  next: count.describe('`after` of the next page; the same as of this one: there is nothing more yet'),
  previous: count.nullable().describe('`before` of the page before; null: there is none'),
})
export const tokenListSchema = z.object({ tokens: z.array(tokenSchema) })
export const auditPageSchema = z.object({
  lines: z.array(auditSchema).describe('newest first'),
  next: count.nullable().describe('`before` of the next page; null: this is the last'),
})

export type OperatorAction = z.output<typeof actionSchema>
export type OperatorActionSummary = z.output<typeof actionSummarySchema>
export type ActionList = z.output<typeof actionListSchema>
export type OperatorStatus = z.output<typeof statusSchema>
export type OperatorNode = z.output<typeof nodeSchema>
export type WholeOperatorNode = z.output<typeof wholeNodeSchema>
export type OperatorEvent = z.output<typeof eventSchema>
export type OperatorWhy = z.output<typeof whySchema>
export type OperatorToken = z.output<typeof tokenSchema>
export type NewOperatorToken = z.output<typeof newTokenSchema>
export type NodePage = z.output<typeof nodePageSchema>
export type EventPage = z.output<typeof eventPageSchema>
export type TokenList = z.output<typeof tokenListSchema>
export type AuditPage = z.output<typeof auditPageSchema>
