/** What the server knows, as the operators' API shows it. Pure. */
import { STATUS_PASSED_OVER_MAX } from '../../../src/limits.js'
import type { NodeRecord } from '../../nodes/state.js'
import type { StoredEvent } from '../../store/store.js'
import type { ServerStatus } from '../status.js'
import type { OperatorEvent, OperatorNode, OperatorStatus } from './schemas.js'

/** A node with its label. */
export function nodeView(node: NodeRecord, label: string): OperatorNode {
  const { failureCode: code, failureMessage: message } = node
  return {
    id: node.id,
    hostname: node.hostname,
    label,
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
  }
}

/** An event that a node's agent sent. */
export function eventView({ id, node, boot, tMs, receivedMs, type, data }: StoredEvent): OperatorEvent {
  // What is in the table went through parseEvents before.
  const parsed = JSON.parse(data) as OperatorEvent['data']
  return { id, at_ms: receivedMs, source: 'agent', type, node, boot, t_ms: tMs, data: parsed }
}

/** The status in the terms of operators. */
export function statusView(
  status: ServerStatus,
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
    nodes: { ...status.nodes },
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
