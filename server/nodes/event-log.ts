/** Logs node events: ends of boots at `info` and above, the rest at `debug`. */
import type { EventListener } from './registry.js'
import { lostAfterMs, type NodeRecord } from './state.js'

/** A log; pino fits. */
export interface NodeLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

/** A listener for the registry. */
export function nodeEventLog(log: NodeLog): EventListener {
  return (node, event) => {
    const facts = {
      event: `node.${event.type}`,
      node: node.id,
      rack: node.rack,
      boot: event.boot,
      ...event.data,
    }
    switch (event.type) {
      case 'boot.started': {
        const { note } = event.data
        if (typeof note === 'string') return log.warn(facts, `${node.id}: ${note}`)
        return log.debug(facts, `${node.id}: ${event.type}`)
      }
      case 'boot.completed': {
        const { seconds, from_peers_bytes: peers, from_origin_bytes: origin } = event.data
        const percent = Math.round((100 * peers) / Math.max(1, peers + origin))
        return log.info(
          facts,
          `${node.id} booted in ${seconds.toFixed(1)} s, ${percent} % of its bytes from other nodes`,
        )
      }
      case 'boot.failed':
        return log.warn(facts, `${node.id} did not boot: ${event.data.code}: ${event.data.message}`)
      case 'peer.banned':
        return log.warn(facts, `${node.id} banned ${event.data.addr}: ${event.data.code}`)
      case 'seeding.ended': {
        const { reason, given_back_bytes: bytes } = event.data
        // The storm's end is logged once for all nodes.
        if (reason !== 'memory-short') return log.debug(facts, `${node.id}: ${event.type}`)
        const megabytes = (bytes / 1e6).toFixed(1)
        return log.info(facts, `${node.id} is short of memory and seeds no more: ${megabytes} MB given back`)
      }
      default:
        return log.debug(facts, `${node.id}: ${event.type}`)
    }
  }
}

/** Says which node fell silent in mid-boot, and where it stood. */
export function lostNodeLog(log: Pick<NodeLog, 'warn'>): (node: NodeRecord) => void {
  return (node) => {
    const { id, rack, boot, address, version } = node
    const facts = { event: 'node.lost', node: id, rack, boot, address, version, stood: node.state }
    log.warn(facts, `${id} is lost: silent for ${lostAfterMs / 1000} s in mid-boot, ${whereItStood(node)}`)
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
