/** The events of the timeline (docs/timeline.md): everything that happens in a boot, and what server and operator did. */

import { TIMELINE_STRING_LENGTH_MAX } from './limits.js'

/** Who reports an event. */
export const eventSources = ['dhcp', 'tftp', 'http', 'queue', 'agent', 'server', 'operator'] as const
/** One of them. */
export type EventSource = (typeof eventSources)[number]

/** The types that the server itself reports; the agents' are in events.ts. */
export const factTypes = [
  'dhcp.seen',
  'dhcp.answered',
  'dhcp.refused',
  'program.sent',
  'program.broken-off',
  'program.refused',
  'script.asked',
  'script.refused',
  'queue.waiting',
  'queue.turn',
  'kernel.sent',
  'kernel.broken-off',
  'stage1.sent',
  'stage1.broken-off',
  'machine.identified',
  'ticket.redeemed',
  'ticket.refused',
  'manifest.sent',
  'manifest.unproven',
  'report.refused',
  'next-boot.taken',
  'node.lost',
  'power.done',
  'power.failed',
  'action.ended',
  'action.interrupted',
  'server.started',
  'server.stopped',
  'config.reloaded',
  'version.published',
  'facts.left-out',
] as const
/** One of them. */
export type FactType = (typeof factTypes)[number]

/** The types of what operators do: the lines of the audit trail. */
export const operatorActions = [
  'node.labelled',
  'node.unlabelled',
  'node.approved',
  'node.disapproved',
  'node.drained',
  'node.undrained',
  'node.next-boot-set',
  'node.next-boot-cleared',
  'node.forgotten',
  'action.started',
  'action.stopped',
  'token.made',
  'token.revoked',
] as const
/** One of them. */
export type OperatorAction = (typeof operatorActions)[number]

/** What a fact says beside its type. */
export type FactData = Readonly<Record<string, string | number | boolean>>

/** Something that has happened, as a part of the server reports it. */
export interface Fact {
  readonly source: EventSource
  readonly type: FactType
  /** `aa:bb:cc:dd:ee:ff`, where it is known. */
  readonly mac?: string
  /** The machine's IP address, where it has one: it tells who loads a file by TFTP. */
  readonly address?: string
  /** When it happened, milliseconds since 1970, where it is told later: by another process. */
  readonly timeMs?: number
  readonly data: FactData
}

/** One event of the timeline. */
export interface TimelineEvent {
  /** Rises; some numbers are left out. DHCP and TFTP are told a moment late: {@link inOrder}. */
  readonly id: number
  /** The server's clock, milliseconds since 1970. */
  readonly timeMs: number
  /** The sender's own clock where it has one: an agent's, milliseconds since its start. */
  readonly senderMs?: number
  readonly mac?: string
  /** The node's identity, once it is known. */
  readonly node?: string
  /** 16 hex digits: the agent's own from its first message on, before that one that the server chose. */
  readonly boot?: string
  readonly source: EventSource
  /** One of {@link factTypes} or {@link operatorActions}, one of an agent's events, or one that only a newer agent knows. */
  readonly type: string
  /** As the sender gave it. */
  readonly data: Readonly<Record<string, unknown>>
}

/** Reads the timeline. Each answer has at most `limit` events, oldest first, and never more than TIMELINE_READ_MAX. */
export interface TimelineReader {
  /** The first of those with greater ids. */
  after(id: number, limit?: number): TimelineEvent[]
  /** The newest of a node, with those of its machine before it was known. */
  ofNode(node: string, limit?: number): TimelineEvent[]
  /** The newest of a boot. */
  ofBoot(boot: string, limit?: number): TimelineEvent[]
  /** The newest of a machine. */
  ofMac(mac: string, limit?: number): TimelineEvent[]
}

/** The events in the order in which they happened. */
export function inOrder(events: readonly TimelineEvent[]): TimelineEvent[] {
  return [...events].sort((a, b) => a.timeMs - b.timeMs || a.id - b.id)
}

/** The data with its texts cut to a bounded length. */
export function boundedData(data: FactData): FactData {
  const isLong = Object.values(data).some((value) => isTooLong(value))
  if (!isLong) return data
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      isTooLong(value) ? `${value.slice(0, TIMELINE_STRING_LENGTH_MAX)}…` : value,
    ]),
  )
}

function isTooLong(value: string | number | boolean): value is string {
  return typeof value === 'string' && value.length > TIMELINE_STRING_LENGTH_MAX
}
