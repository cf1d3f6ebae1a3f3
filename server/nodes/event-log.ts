/** Logs node events: begin and end of boots at `info` and above, the rest at `debug`. */
import type { AgentEvent } from '../../src/events.js'
import { addressOwner } from '../../src/net.js'
import { LineLimit } from './line-limit.js'
import type { EventListener } from './registry.js'
import { lostAfterMs, type NodeRecord } from './state.js'

/** A log; pino fits. */
export interface NodeLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

/**
 * Lines above `debug` within a minute. A node that boots has one, one that fails again and again four, one that meets bad
 * peers several; a large farm that boots at once, maybe behind one address, has one or two for each node.
 */
const limits = { windowMs: 60_000, nodeMax: 20, addressMax: 2048, allMax: 8192 } as const

/** A line for people; undefined: none above `debug`. */
type Line = { readonly level: 'info' | 'warn'; readonly text: string } | undefined

/** A listener for the registry. */
export function nodeEventLog(log: NodeLog, nowMs: () => number): EventListener {
  const limited = new LimitedLog(log, nowMs)
  return (node, event) => {
    const { id, rack } = node
    // In an object of their own: a node names the members of its data itself.
    const data = event.type === 'unknown' ? { ...event.data, type: event.name } : event.data
    const facts = { event: `node.${event.type}`, node: id, rack, boot: event.boot, data }
    const line = lineOf(event, node)
    if (line === undefined || !limited.admits(node)) log.debug(facts, `${id}: ${event.type}`)
    else log[line.level](facts, `${id}${line.text}`)
  }
}

function lineOf(event: AgentEvent, { address }: NodeRecord): Line {
  switch (event.type) {
    case 'boot.started': {
      const { note } = event.data
      if (typeof note === 'string') return { level: 'warn', text: `: ${note}` }
      return { level: 'info', text: ` at ${address}: its agent has begun` }
    }
    case 'boot.completed': {
      const { seconds, from_peers_bytes: peers, from_origin_bytes: origin } = event.data
      const percent = Math.round((100 * peers) / Math.max(1, peers + origin))
      const text = ` at ${address} has its root after ${seconds.toFixed(1)} s, ${percent} % of its bytes from other nodes`
      return { level: 'info', text }
    }
    case 'boot.failed':
      return { level: 'warn', text: ` did not boot: ${event.data.code}: ${event.data.message}` }
    case 'peer.banned':
      return { level: 'warn', text: ` banned ${event.data.addr}: ${event.data.code}` }
    case 'seeding.ended': {
      const { reason, given_back_bytes: bytes } = event.data
      // The storm's end is logged once for all nodes.
      if (reason !== 'memory-short') return undefined
      const megabytes = (bytes / 1e6).toFixed(1)
      return { level: 'info', text: ` is short of memory and seeds no more: ${megabytes} MB given back` }
    }
    default:
      return undefined
  }
}

/** Says which node fell silent in mid-boot, and where it stood. */
export function lostNodeLog(log: Pick<NodeLog, 'warn'>, nowMs: () => number): (node: NodeRecord) => void {
  const limited = new LimitedLog(log, nowMs)
  return (node) => {
    const { id, rack, boot, address, version } = node
    if (!limited.admits(node)) return
    const facts = { event: 'node.lost', node: id, rack, boot, address, version, stood: node.state }
    log.warn(facts, `${id} is lost: silent for ${lostAfterMs / 1000} s in mid-boot, ${whereItStood(node)}`)
  }
}

/** A log with a bounded number of lines about nodes, which says how many it suppressed. */
class LimitedLog {
  readonly #log: Pick<NodeLog, 'warn'>
  readonly #nowMs: () => number
  readonly #limit = new LineLimit(limits)

  constructor(log: Pick<NodeLog, 'warn'>, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** Whether a line about this node may be written. */
  admits({ id, address }: NodeRecord): boolean {
    const nowMs = this.#nowMs()
    const suppressed = this.#limit.takeSuppressed(nowMs)
    if (suppressed > 0)
      this.#log.warn(
        { event: 'node.lines-suppressed', suppressed },
        `${suppressed} more lines about nodes were suppressed`,
      )
    const shares = [
      { name: `node ${id}`, max: limits.nodeMax },
      { name: `address ${addressOwner(address)}`, max: limits.addressMax },
    ]
    return this.#limit.admits(shares, address, nowMs)
  }
}

function whereItStood(node: NodeRecord): string {
  const { state, version, doneBytes, totalBytes } = node
  if (state === 'seen') return 'before it asked for a manifest'
  if (state === 'manifest' || totalBytes === 0) return `with the manifest of version ${version}`
  const [done, total] = [doneBytes, totalBytes].map((bytes) => (bytes / 1e6).toFixed(1))
  if (doneBytes >= totalBytes) return `with all ${total} MB of version ${version}, unpacking it`
  return `with ${done} of ${total} MB of version ${version}`
}
