/** Formats the outcome of a demo, for people and as the summary of `--json`. No I/O. */
import type { DemoNode } from './nodes.js'

/** What `--demo N --json` prints. */
export interface DemoSummary {
  readonly nodes: number
  readonly booted: number
  readonly failed: number
  /** Bytes that the server sent for all nodes together, over the bytes of one boot. */
  readonly origin_copies: number
  /** Start of the first agent to the last booted node. */
  readonly seconds: number
}

/** Sums up the boots. */
export function summarize(nodes: readonly DemoNode[], payloadBytes: number, seconds: number): DemoSummary {
  const booted = nodes.filter((node) => node.booted)
  const origin = booted.reduce((sum, node) => sum + node.fromOriginBytes, 0)
  return {
    nodes: nodes.length,
    booted: booted.length,
    failed: nodes.length - booted.length,
    origin_copies: payloadBytes > 0 ? round(origin / payloadBytes, 3) : 0,
    seconds: round(seconds, 2),
  }
}

/** One node, one line. */
export function nodeLine(node: DemoNode): string {
  if (!node.booted) return `  ${node.id}  NOT BOOTED: ${node.reason}`
  const peers = megabytes(node.fromPeersBytes).padStart(8)
  const origin = megabytes(node.fromOriginBytes).padStart(8)
  return `  ${node.id}  booted in ${node.seconds.toFixed(2).padStart(5)} s:${peers} from peers,${origin} from the server`
}

/** The closing text, for newcomers. */
export function summaryLines(summary: DemoSummary, payloadBytes: number): string[] {
  const { nodes, booted, origin_copies: copies, seconds } = summary
  const sent = megabytes(copies * payloadBytes)
  const plain = megabytes(nodes * payloadBytes)
  return [
    '',
    `${booted} of ${nodes} nodes booted in ${seconds} s.`,
    `Each took ${megabytes(payloadBytes)}. The server sent ${sent}, that is ${copies} copies; without the swarm it`,
    `would have sent ${plain}. All the rest the nodes fetched from one another.`,
  ]
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
