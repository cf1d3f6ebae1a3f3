/**
 * The state of one node, from its requests and its events. A pure decision: values in, values out.
 *
 * seen -> manifest -> downloading -> booted | failed; a node of the first three that falls silent is lost.
 * A new boot id begins again.
 */
import type { AgentEvent } from '../../src/events.js'
import { type MachineFacts, machineFacts } from '../../src/inventory.js'

/** The stage of a node's boot. `seen`: it has sent a message, but not requested a manifest. */
export type NodeState = 'seen' | 'manifest' | 'downloading' | 'booted' | 'failed' | 'lost'

/** All states, in the order of a boot. */
export const nodeStates: readonly NodeState[] = [
  'seen',
  'manifest',
  'downloading',
  'booted',
  'failed',
  'lost',
]

/** What is known of a node. */
export interface NodeRecord {
  readonly id: string
  readonly rack: string
  readonly hostname: string
  /** The address it last spoke from. */
  readonly address: string
  readonly state: NodeState
  /** 16 hex digits; empty until the node has sent one. */
  readonly boot: string
  /** Version of the catalog that this boot began with; 0 before its manifest. */
  readonly version: number
  readonly agent: string
  readonly firstSeenMs: number
  readonly lastSeenMs: number
  /** When the first message of this boot arrived. */
  readonly bootStartedMs: number
  readonly doneBytes: number
  readonly totalBytes: number
  readonly fromPeersBytes: number
  readonly fromOriginBytes: number
  /** Duration of the last finished boot, seconds as the agent measured it; 0 before. */
  readonly bootSeconds: number
  readonly failureCode: string
  readonly failureMessage: string
  /** It has completed a boot, this one or an earlier one. */
  readonly hasBooted: boolean
  /** Highest sequence number of this boot's events, -1 before the first: a repeated post changes nothing. */
  readonly lastSeq: number
  readonly seeding: Seeding
  /** The last answer about seeding: report again in so many seconds; 0: stop. Undefined before the first. */
  readonly seedS: number | undefined
  /** When its last message in mid-boot arrived; 0 before. */
  readonly bootHeardMs: number
  /** What of its machine it is known by, as it was last reported, in this boot or an earlier one; undefined: never. */
  readonly machine: MachineFacts | undefined
}

/** What a node does with its artifacts: it has not got them or not any more, seeds all, or some. */
export type Seeding = 'no' | 'whole' | 'part'

/** A node that is silent for so long in mid-boot is lost, milliseconds; an agent reports every 2 s. */
export const lostAfterMs = 120_000

/** A node before its first message. */
export function newNode(
  id: string,
  rack: string,
  hostname: string,
  address: string,
  nowMs: number,
): NodeRecord {
  return {
    id,
    rack,
    hostname,
    address,
    state: 'seen',
    boot: '',
    version: 0,
    agent: '',
    firstSeenMs: nowMs,
    lastSeenMs: nowMs,
    bootStartedMs: nowMs,
    doneBytes: 0,
    totalBytes: 0,
    fromPeersBytes: 0,
    fromOriginBytes: 0,
    bootSeconds: 0,
    failureCode: '',
    failureMessage: '',
    hasBooted: false,
    lastSeq: -1,
    seeding: 'no',
    seedS: undefined,
    bootHeardMs: 0,
    machine: undefined,
  }
}

/** Whether the node still needs the version that it began with. */
export function isBooting(node: NodeRecord): boolean {
  return node.state === 'manifest' || node.state === 'downloading'
}

/** The node got a manifest of `version`. An empty `boot` (an agent that told none) is a boot of its own. */
export function afterManifest(node: NodeRecord, boot: string, version: number, nowMs: number): NodeRecord {
  const sameBoot = boot !== '' && boot === node.boot
  const begun = sameBoot ? node : beginBoot(node, boot, nowMs)
  // A node that asks again in mid-download goes on downloading, unless it got another version.
  const goesOn = sameBoot && node.state === 'downloading' && node.version === version
  const state = goesOn ? 'downloading' : 'manifest'
  return { ...begun, version, state, lastSeenMs: nowMs, bootHeardMs: nowMs }
}

/** The node reported. Events of a boot that is over, and repeated ones, only show that it is alive. */
export function afterEvent(node: NodeRecord, event: AgentEvent, nowMs: number): NodeRecord {
  let next: NodeRecord = { ...node, lastSeenMs: nowMs }
  if (event.boot !== node.boot) {
    const begins = event.type === 'boot.started' || node.boot === ''
    if (!begins) return next
    // An agent's first manifest request may come before its first event, or carry no boot id.
    const adopts = node.boot === '' && isBooting(node)
    next = adopts ? { ...next, boot: event.boot, lastSeq: -1 } : beginBoot(next, event.boot, nowMs)
  } else if (event.seq <= node.lastSeq) return next
  next = { ...next, lastSeq: event.seq }
  if (isBooting(node)) next = { ...next, bootHeardMs: nowMs }
  switch (event.type) {
    case 'boot.started':
      return { ...next, agent: event.data.agent }
    case 'machine.inventory':
      return { ...next, machine: machineFacts(event.data) }
    case 'manifest.verified':
      return { ...next, state: 'manifest', version: event.data.version }
    case 'artifact.started':
    case 'artifact.downloaded':
    case 'artifact.unpacked':
    case 'peer.banned':
      return downloading(next)
    case 'progress':
      return downloading({
        ...next,
        doneBytes: event.data.done_bytes,
        totalBytes: event.data.total_bytes,
        fromPeersBytes: event.data.from_peers_bytes,
        fromOriginBytes: event.data.from_origin_bytes,
      })
    case 'boot.completed':
      return {
        ...next,
        state: 'booted',
        hasBooted: true,
        seeding: 'whole',
        bootHeardMs: nowMs,
        doneBytes: next.totalBytes,
        version: event.data.version,
        bootSeconds: event.data.seconds,
        fromPeersBytes: event.data.from_peers_bytes,
        fromOriginBytes: event.data.from_origin_bytes,
        failureCode: '',
        failureMessage: '',
      }
    case 'boot.failed':
      return { ...next, state: 'failed', failureCode: event.data.code, failureMessage: event.data.message }
    case 'artifact.dropped':
      return next.seeding === 'whole' ? { ...next, seeding: 'part' } : next
    case 'seeding':
      // It has booted, even where this server has never heard of that: its data directory may be new.
      return {
        ...next,
        state: 'booted',
        version: event.data.version,
        seeding: next.seeding === 'no' ? 'whole' : next.seeding,
      }
    case 'seeding.ended':
      return { ...next, seeding: 'no' }
    default:
      // A newer agent's.
      return next
  }
}

/** The node after `nowMs` of time: silent for too long in mid-boot is lost. */
export function afterTime(node: NodeRecord, nowMs: number): NodeRecord {
  const silentMs = nowMs - node.lastSeenMs
  if (!isBooting(node) && node.state !== 'seen') return node
  return silentMs >= lostAfterMs ? { ...node, state: 'lost' } : node
}

function beginBoot(node: NodeRecord, boot: string, nowMs: number): NodeRecord {
  const fresh = newNode(node.id, node.rack, node.hostname, node.address, node.firstSeenMs)
  return {
    ...fresh,
    boot,
    agent: node.agent,
    bootSeconds: node.bootSeconds,
    hasBooted: node.hasBooted,
    bootHeardMs: node.bootHeardMs,
    machine: node.machine,
    lastSeenMs: nowMs,
    bootStartedMs: nowMs,
  }
}

/** A booted node that reports on (it seeds) stays booted; a lost or failed one that moves is back. */
function downloading(node: NodeRecord): NodeRecord {
  if (node.state === 'booted') return node
  return { ...node, state: 'downloading', failureCode: '', failureMessage: '' }
}
