/** `bootswarm node show`. */
import { printJson, printLines } from '../../host/console.js'
import type { OperatorNode, OperatorWhy } from '../../server/api/operators/schemas.js'
import type { Inventory } from '../../src/inventory.js'
import { nextBootText } from '../../src/next-boot.js'
import type { ShownNode } from '../../src/shown-node.js'
import { printable } from '../../src/text.js'
import { shownLines } from '../show-node.js'
import { askEach } from './ask-each.js'
import { inventoryRows } from './inventory-lines.js'
import { nodesOf } from './node-list.js'
import { whyLines } from './node-why.js'
import type { Session } from './session.js'
import { formatBytes, formatDuration, formatTime } from './words.js'

/** All that is known of nodes. */
export async function showNodes({ call, client }: Session): Promise<number> {
  const { nodes, areAllThere } = await nodesOf(client, call, call.words[0])
  const answers = await askEach(nodes, async (id) => ({
    inventory: (await client.node(id)).inventory,
    why: await client.why(id),
    config: await client.configOf(id),
  }))
  const whole = nodes.map((node) => ({ ...node, ...answers.get(node.id) }))
  if (call.flags.has('json')) printJson(whole, 2)
  else printLines(whole.flatMap((node, n) => [...(n === 0 ? [] : ['']), ...wholeLines(node, Date.now())]))
  return areAllThere ? 0 : 1
}

/** What it does and is, where its newest boot stopped, and what it gets. */
function wholeLines({ inventory = null, why, config, ...node }: WholeNode, nowMs: number): string[] {
  return [
    ...nodeLines(node, nowMs),
    ...lines(inventory === null ? [] : inventoryRows(inventory)),
    ...(why === undefined ? [] : whyLines(why, nowMs)),
    ...(config === undefined ? [] : ['', ...shownLines(config)]),
  ]
}

type WholeNode = OperatorNode & {
  readonly inventory?: Inventory | null
  readonly why?: OperatorWhy
  readonly config?: ShownNode
}

function nodeLines(node: OperatorNode, nowMs: number): string[] {
  const ago = (ms: number) => `${formatTime(ms)}, ${formatDuration((nowMs - ms) / 1000)} ago`
  const { failure, from_peers_bytes: peers, from_origin_bytes: origin } = node
  const rows: [string, string][] = [
    ['node', node.id],
    ['mac', node.mac === node.id ? '' : (node.mac ?? '')],
    ['host', node.hostname],
    ['label', node.label],
    ['approved', node.approved ? 'yes' : ''],
    ['drained', node.drained === null ? '' : node.drained.reason || 'yes'],
    ['next', node.next_boot === null ? '' : `${nextBootText(node.next_boot)}, once`],
    ['rack', node.rack],
    ['address', node.address],
    ['state', node.state],
    ['failure', failure === null ? '' : `${failure.code}: ${failure.message}`],
    ['version', node.version === 0 ? '' : String(node.version)],
    ['agent', node.agent],
    ['boot', node.boot === '' ? '' : `${node.boot}, begun ${ago(node.boot_started_ms)}`],
    ['took', tookOf(node)],
    [
      'has',
      node.total_bytes === 0 ? '' : `${formatBytes(node.done_bytes)} of ${formatBytes(node.total_bytes)}`,
    ],
    ['from', peers + origin === 0 ? '' : `peers ${formatBytes(peers)}, server ${formatBytes(origin)}`],
    ['seeds', { no: '', part: 'a part', whole: 'all' }[node.seeding]],
    ['seen', `${ago(node.last_seen_ms)}; at first ${formatTime(node.first_seen_ms)}`],
  ]
  return lines(rows)
}

function lines(rows: readonly (readonly [name: string, text: string])[]): string[] {
  return rows.filter(([, text]) => text !== '').map(([name, text]) => printable(`${name.padEnd(9)}${text}`))
}

function tookOf({ state, boot_seconds: seconds }: OperatorNode): string {
  if (seconds === 0) return ''
  return `${seconds.toFixed(1)} s${state === 'booted' ? '' : ' the last time'}`
}
