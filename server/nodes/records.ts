/**
 * The registry's view of the database: one row a node, and its reports, from which the rest of its record is
 * made again at the start.
 */
import { machineFacts, storedInventory } from '../../src/inventory.js'
import type { NodeRow, Store, StoredReport, StoredState } from '../store/store.js'
import type { DescribeNode, NodeStore, StoredNode } from './registry.js'
import { afterEvent, isBooting, type NodeRecord, newNode } from './state.js'

/** Nodes whose last boot is read back from its events at the start; those seen before them keep their row. */
const replayedNodesMax = 2000

/** Puts the registry's records into the server's store. */
export function nodeRecords(store: Pick<Store, 'nodes' | 'timeline'>, describe: DescribeNode): NodeStore {
  return {
    loadNodes: () => {
      const rows = store.nodes.list().sort((a, b) => b.lastSeenMs - a.lastSeenMs)
      return rows.map((row, index) => {
        const inventory = storedInventory(store.nodes.inventory(row.id))
        const machine = inventory && machineFacts(inventory)
        const { hostname } = describe(row.id, row.address, machine)
        const bare: NodeRecord = {
          ...newNode(row.id, row.rack, hostname, row.address, row.firstSeenMs),
          lastSeenMs: row.lastSeenMs,
          bootStartedMs: row.lastSeenMs,
          boot: row.boot ?? '',
          version: row.version ?? 0,
          hasBooted: row.isKnown,
          machine,
        }
        const reports =
          index < replayedNodesMax && bare.boot !== '' ? store.timeline.reports(row.id, bare.boot) : []
        return { node: replay(bare, row.state, reports), isKnown: row.isKnown }
      })
    },
    rowOf,
  }
}

function rowOf({ node, isKnown }: StoredNode): NodeRow {
  const { id, firstSeenMs, lastSeenMs, address, rack } = node
  return {
    ...{ id, firstSeenMs, lastSeenMs, address, rack, isKnown },
    state: storedState(node),
    version: node.version === 0 ? null : node.version,
    boot: node.boot === '' ? null : node.boot,
  }
}

function replay(node: NodeRecord, state: StoredState, reports: readonly StoredReport[]): NodeRecord {
  let replayed = node
  for (const report of reports) replayed = afterEvent(replayed, report, report.receivedMs)
  const startedMs = reports[0]?.receivedMs ?? node.bootStartedMs
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
