/**
 * The registry's view of the database: one row a node, and its events, from which the rest of its record is
 * made again at the start.
 */
import type { BootEvent } from '../../src/events.js'
import type { Store, StoredState } from '../store/store.js'
import type { DescribeNode, NodeStore } from './registry.js'
import { afterEvent, isBooting, type NodeRecord, newNode } from './state.js'

/** Nodes whose last boot is read back from its events at the start; those seen before them keep their row. */
const replayedNodesMax = 2000

/** Puts the registry's records into the server's store. */
export function nodeRecords(
  store: Pick<Store, 'nodes' | 'events' | 'batch'>,
  describe: DescribeNode,
): NodeStore {
  return {
    loadNodes: () => {
      const rows = store.nodes.list().sort((a, b) => b.lastSeenMs - a.lastSeenMs)
      return rows.map((row, index) => {
        const { hostname } = describe(row.id, row.address)
        const bare: NodeRecord = {
          ...newNode(row.id, row.rack, hostname, row.address, row.firstSeenMs),
          lastSeenMs: row.lastSeenMs,
          bootStartedMs: row.lastSeenMs,
          boot: row.boot ?? '',
          version: row.version ?? 0,
        }
        const events =
          index < replayedNodesMax && bare.boot !== '' ? store.events.ofBoot(row.id, bare.boot) : []
        return replay(bare, row.state, events)
      })
    },
    saveNodes: (nodes, events) =>
      store.batch(() => {
        for (const node of nodes) {
          store.nodes.update({
            id: node.id,
            nowMs: node.lastSeenMs,
            address: node.address,
            rack: node.rack,
            state: storedState(node),
            version: node.version === 0 ? null : node.version,
            boot: node.boot === '' ? null : node.boot,
          })
        }
        for (const { nodeId, receivedMs, event } of events) store.events.append(nodeId, receivedMs, [event])
      }),
  }
}

function replay(
  node: NodeRecord,
  state: StoredState,
  events: readonly (BootEvent & { receivedMs: number })[],
): NodeRecord {
  let replayed = node
  for (const event of events) replayed = afterEvent(replayed, event, event.receivedMs)
  const startedMs = events[0]?.receivedMs ?? node.bootStartedMs
  return {
    ...replayed,
    state: liveState(state, replayed),
    bootStartedMs: startedMs,
    lastSeenMs: node.lastSeenMs,
  }
}

function storedState(node: NodeRecord): StoredState {
  if (isBooting(node) || node.state === 'lost') return 'booting'
  return node.state === 'booted' || node.state === 'failed' ? node.state : 'seen'
}

/** The row's state counts: it knows of manifest requests too, which are no events. */
function liveState(state: StoredState, replayed: NodeRecord): NodeRecord['state'] {
  if (state === 'booting') return isBooting(replayed) ? replayed.state : 'manifest'
  return state === 'stopped' ? 'booted' : state
}
