/** Which nodes are in one page of a list: filtered, sorted, cut. Pure, but for what the causes are read from. */
import { BootswarmError } from '../../../src/errors.js'
import { expandHostlist } from '../../../src/hostlist.js'
import { hasSome, type MachineFacts } from '../../../src/inventory.js'
import type { NodesQuery, nodeSorts } from './requests.js'
import type { NodePage } from './schemas.js'
import type { OperatorServices } from './services.js'
import type { BareNode } from './views.js'

type SortKey = (typeof nodeSorts)[number]
type Value = string | number

/** The last node of a page: the next one begins after it, wherever it stands by then. */
interface Cursor {
  readonly value: Value
  readonly id: string
}

/**
 * One page of those that match. A node whose place changes between two pages may be in both or in neither.
 *
 * @param services the causes are asked for the nodes of the page; for all that match otherwise where the cause is a condition
 * @throws BootswarmError REQUEST_INVALID for a hostlist or a cursor that is none
 */
export async function nodePage(
  nodes: readonly BareNode[],
  query: NodesQuery,
  services: Pick<OperatorServices, 'withCauses' | 'machineOf'>,
): Promise<NodePage> {
  const { cause } = query
  const cursor = query.cursor === undefined ? undefined : parseCursor(query.cursor)
  const candidates = nodes.filter(matcher(query, services))
  if (cause === undefined) {
    const page = cut(candidates, query, cursor)
    return { ...page, nodes: await services.withCauses(page.nodes) }
  }
  const judged = await services.withCauses(candidates)
  return cut(
    judged.filter((node) => cause.includes(node.cause)),
    query,
    cursor,
  )
}

function cut<Node extends BareNode>(
  nodes: readonly Node[],
  { sort, limit }: NodesQuery,
  cursor: Cursor | undefined,
): Omit<NodePage, 'nodes'> & { readonly nodes: Node[] } {
  const isDescending = sort.startsWith('-')
  const key = sort.replace('-', '') as SortKey
  const compare = (a: Cursor, b: Cursor) => {
    const order = compareValues(a.value, b.value) || compareValues(a.id, b.id)
    return isDescending ? -order : order
  }
  const matching = nodes.map((node) => ({ node, value: node[key], id: node.id })).sort(compare)
  const rest = cursor === undefined ? matching : matching.filter((place) => compare(place, cursor) > 0)
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  return {
    nodes: page.map(({ node }) => node),
    total: matching.length,
    next: last === undefined || rest.length === page.length ? null : formatCursor(last),
  }
}

/** The names of a hostlist in a request. @throws BootswarmError REQUEST_INVALID */
export function namesOf(hostlist: string): ReadonlySet<string> {
  try {
    return new Set(expandHostlist(hostlist))
  } catch (cause) {
    throw new BootswarmError('REQUEST_INVALID', (cause as Error).message, { cause })
  }
}

function matcher(
  { state, rack, nodes, text, ...query }: NodesQuery,
  { machineOf }: Pick<OperatorServices, 'machineOf'>,
): (node: BareNode) => boolean {
  const names = nodes === undefined ? undefined : namesOf(nodes)
  const part = text?.toLowerCase()
  const asked = machineKeys.flatMap((key) => {
    const patterns = query[key]
    return patterns === undefined ? [] : [{ key, patterns }]
  })
  return (node) =>
    (state === undefined || state.includes(node.state)) &&
    (rack === undefined || rack.includes(node.rack)) &&
    (names === undefined || namesOfNode(node).some((name) => names.has(name))) &&
    (part === undefined || textsOf(node).some((own) => own.toLowerCase().includes(part))) &&
    asked.every(({ key, patterns }) => hasSome(patterns, machineTexts(key, node, machineOf(node.id))))
}

const machineKeys = ['vendor', 'product', 'serial', 'uuid', 'pci', 'mac'] as const

function machineTexts(
  key: (typeof machineKeys)[number],
  { mac }: BareNode,
  machine: MachineFacts | undefined,
): readonly (string | undefined)[] {
  if (key === 'mac') return [mac ?? undefined, ...(machine?.macs ?? [])]
  if (key === 'pci') return machine?.pci ?? []
  return [machine?.dmi[key]]
}

function namesOfNode({ id, hostname, mac }: BareNode): string[] {
  return [id, hostname.toLowerCase(), ...(mac === null ? [] : [mac])]
}

function textsOf({ id, mac, hostname, label, rack, address, agent, failure }: BareNode) {
  return [id, mac ?? '', hostname, label, rack, address, agent, failure?.code ?? '', failure?.message ?? '']
}

function compareValues(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function formatCursor({ value, id }: Cursor): string {
  return Buffer.from(JSON.stringify([value, id])).toString('base64url')
}

function parseCursor(text: string): Cursor {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    // Said below.
  }
  const [value, id] = Array.isArray(parsed) ? parsed : []
  if ((typeof value === 'string' || typeof value === 'number') && typeof id === 'string') return { value, id }
  throw new BootswarmError('REQUEST_INVALID', 'cursor: expected the next of a page before')
}
