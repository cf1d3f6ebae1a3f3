/** What the server knows, as the operators' API shows it. Pure. */
import { STATUS_PASSED_OVER_MAX } from '../../../src/limits.js'
import type { NextBoot } from '../../../src/next-boot.js'
import { inOrder, type TimelineEvent } from '../../../src/timeline.js'
import { type NodeRecord, newNode } from '../../nodes/state.js'
import type { Action } from '../../power/actions.js'
import type { StoredPage } from '../../store/store.js'
import { alarmsOf, isAlarm } from '../../timeline/alarms.js'
import type { NetbootMachine } from '../../timeline/machines.js'
import { phasesOf } from '../../timeline/phases.js'
import { hasBooted, type StopCause, whereItStopped } from '../../timeline/where-it-stopped.js'
import type { ServerStatus } from '../status.js'
import type {
  EventPage,
  OperatorAction,
  OperatorActionSummary,
  OperatorEvent,
  OperatorNode,
  OperatorStatus,
  OperatorWhy,
} from './schemas.js'

/** A node without what its events have to be read for. */
export type BareNode = Omit<OperatorNode, 'cause'>

/** What a node is called by others than its agent. */
interface Names {
  readonly mac: string | undefined
  readonly label: string
  readonly approved: boolean
  /** Why it is drained; undefined: it is not. */
  readonly drained: string | undefined
  /** What waits for its next boot. */
  readonly nextBoot: NextBoot | undefined
}

/** A node; `netboot`: it has begun another boot since its agent spoke last. */
export function nodeView(
  node: NodeRecord,
  { mac, label, approved, drained, nextBoot }: Names,
  netboot?: NetbootMachine,
): BareNode {
  const { failureCode: code, failureMessage: message } = node
  return {
    id: node.id,
    mac: mac ?? null,
    hostname: node.hostname,
    label,
    approved,
    drained: drained === undefined ? null : { reason: drained },
    next_boot: nextBoot === undefined ? null : { ...nextBoot, rootfs: nextBoot.rootfs ?? null },
    rack: node.rack,
    address: node.address,
    state: node.state,
    boot: node.boot,
    version: node.version,
    agent: node.agent,
    first_seen_ms: node.firstSeenMs,
    last_seen_ms: node.lastSeenMs,
    boot_started_ms: node.bootStartedMs,
    boot_seconds: node.bootSeconds,
    done_bytes: node.doneBytes,
    total_bytes: node.totalBytes,
    from_peers_bytes: node.fromPeersBytes,
    from_origin_bytes: node.fromOriginBytes,
    seeding: node.seeding,
    failure: code === '' ? null : { code, message },
    ...(netboot === undefined ? {} : ofThisBoot(netboot)),
  }
}

/** What of a node belongs to the boot that has begun. */
function ofThisBoot({ state, boot, bootMs, heardMs }: NetbootMachine) {
  const none = { version: 0, done_bytes: 0, total_bytes: 0, from_peers_bytes: 0, from_origin_bytes: 0 }
  return {
    ...{ state, boot, boot_started_ms: bootMs, last_seen_ms: heardMs },
    ...{ ...none, seeding: 'no' as const, failure: null },
  }
}

/** A machine that is no node yet; `hostname` and `rack`: of the node that it would be. */
export function machineView(
  machine: NetbootMachine,
  { hostname, rack }: { readonly hostname: string; readonly rack: string },
  said: Omit<Names, 'mac'>,
): BareNode {
  const { mac, address, firstMs } = machine
  return nodeView(newNode(mac, rack, hostname, address, firstMs), { mac, ...said }, machine)
}

/** An event as it is stored. */
export function eventView(event: TimelineEvent): OperatorEvent {
  const { id, timeMs, source, type, mac = null, node = null, boot = null, senderMs = null, data } = event
  return { id, at_ms: timeMs, source, type, mac, node, boot, t_ms: senderMs, data }
}

/** A page of stored events; `from`: what was asked for. */
export function eventPageView(
  { events, endId, isLast }: StoredPage,
  from: { readonly afterId: number } | { readonly beforeId: number },
): EventPage {
  const first = events[0]?.id
  return {
    events: events.map(eventView),
    next: 'afterId' in from ? endId : from.beforeId - 1,
    previous: 'afterId' in from ? (first ?? from.afterId + 1) : isLast ? null : endId,
  }
}

/** Where the newest boot of a node stopped, from its events. */
export function whyView(node: BareNode, events: readonly TimelineEvent[], nowMs: number): OperatorWhy {
  const { id, mac, hostname, state, boot } = node
  const last = inOrder(events).findLast(({ type }) => !isAlarm(type))
  return {
    ...{ id, mac, hostname, state, boot },
    // Reports of seeds are not kept: a node may have booted without an event that says so.
    ...(state === 'booted' ? hasBooted : whereItStopped(events, nowMs)),
    phases: phasesOf(events).map(({ phase, startedMs, endedMs = null }) => ({
      ...{ phase, started_ms: startedMs, ended_ms: endedMs },
    })),
    last: last === undefined ? null : eventView(last),
    alarms: alarmsOf(events).map(({ timeMs, text }) => ({ at_ms: timeMs, text })),
  }
}

/** The cause where the state alone tells it; undefined: it is in the events. */
export function causeOf({ state }: BareNode): StopCause | undefined {
  return causes[state]
}

/** What an agent reports ends in a state; before that there are many ways to stop. */
const causes: Partial<Record<BareNode['state'], StopCause>> = {
  manifest: 'UNDER_WAY',
  downloading: 'UNDER_WAY',
  booted: 'BOOTED',
  failed: 'AGENT_FAILED',
  lost: 'LOST',
}

/** An action without its nodes. */
export function actionView({
  id,
  plan: { kind, nodes, batch, pauseS, failuresMax },
  who,
  startedMs,
  endedMs,
  stopped,
  steps,
}: Action): OperatorActionSummary {
  const state =
    id === '' ? 'planned' : endedMs === null ? 'running' : stopped === undefined ? 'done' : 'stopped'
  const count = (wanted: string) => steps.filter((step) => step.state === wanted).length
  return {
    ...{ id, kind, state, why: stopped ?? '', who, started_ms: startedMs, ended_ms: endedMs },
    ...{ batch: batch ?? null, pause_s: pauseS, failures_max: failuresMax ?? null },
    ...{ total: nodes.length, done: count('done'), failed: count('failed') },
  }
}

/** An action, node by node. */
export function wholeActionView(action: Action): OperatorAction {
  return { ...actionView(action), nodes: action.steps.map(({ node, ...step }) => ({ id: node, ...step })) }
}

/** The status in the terms of operators. */
export function statusView(
  status: ServerStatus,
  nodes: OperatorStatus['nodes'],
  program: string,
  operators: OperatorStatus['operators'],
): OperatorStatus {
  const { artifacts, netboot, origin } = status
  return {
    site: status.site,
    program,
    uptime_s: status.uptime_s,
    version: status.version,
    artifacts: {
      files: artifacts.length,
      size_bytes: artifacts.reduce((sum, { size_bytes: bytes }) => sum + bytes, 0),
    },
    problems: status.problems.slice(0, STATUS_PASSED_OVER_MAX).map((problem) => ({ ...problem })),
    failing: status.failing.map((failure) => ({ ...failure })),
    nodes,
    reports: { ...status.reports },
    seeding: { ...status.seeding },
    origin: {
      https_bytes: origin.https_bytes,
      boot_bytes: origin.boot_bytes,
      bittorrent_bytes: origin.bittorrent_bytes,
    },
    connections: { ...status.connections },
    netboot: {
      mode: netboot.mode,
      running: netboot.running,
      loading: netboot.queue.loading.length,
      waiting: netboot.queue.waiting,
    },
    operators,
  }
}
