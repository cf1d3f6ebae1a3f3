/** `bootswarm node show`. */
import { printJson, printLines } from '../../host/console.js'
import type { OperatorNode } from '../../server/api/operators/schemas.js'
import { printable } from '../../src/text.js'
import { nodesOf } from './node-list.js'
import { whyLines, whyOf } from './node-why.js'
import type { Session } from './session.js'
import { formatBytes, formatDuration, formatTime } from './words.js'

/** All that is known of nodes. */
export async function showNodes({ call, client }: Session): Promise<number> {
  const { nodes, areAllThere } = await nodesOf(client, call, call.words[0])
  const reasons = new Map((await whyOf(client, nodes)).map((why) => [why.id, why]))
  if (call.flags.has('json'))
    printJson(
      nodes.map((node) => ({ ...node, why: reasons.get(node.id) })),
      2,
    )
  else
    printLines(
      nodes.flatMap((node, n) => {
        const why = reasons.get(node.id)
        const nowMs = Date.now()
        const lines = nodeLines(node, nowMs)
        return [...(n === 0 ? [] : ['']), ...lines, ...(why === undefined ? [] : whyLines(why, nowMs))]
      }),
    )
  return areAllThere ? 0 : 1
}

/** All of a node. */
export function nodeLines(node: OperatorNode, nowMs: number): string[] {
  const ago = (ms: number) => `${formatTime(ms)}, ${formatDuration((nowMs - ms) / 1000)} ago`
  const { failure, from_peers_bytes: peers, from_origin_bytes: origin } = node
  const rows: [string, string][] = [
    ['node', node.id],
    ['mac', node.mac === node.id ? '' : (node.mac ?? '')],
    ['host', node.hostname],
    ['label', node.label],
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
  return rows.filter(([, text]) => text !== '').map(([name, text]) => printable(`${name.padEnd(9)}${text}`))
}

function tookOf({ state, boot_seconds: seconds }: OperatorNode): string {
  if (seconds === 0) return ''
  return `${seconds.toFixed(1)} s${state === 'booted' ? '' : ' the last time'}`
}
