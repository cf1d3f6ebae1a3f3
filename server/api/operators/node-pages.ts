/** Which nodes are in one page of a list: filtered, sorted, cut. Pure. */
import { BootswarmError } from '../../../src/errors.js'
import { expandHostlist } from '../../../src/hostlist.js'
import type { NodePage, NodesQuery, nodeSorts, OperatorNode } from './schemas.js'

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
 * @throws BootswarmError REQUEST_INVALID for a hostlist or a cursor that is none
 */
export function nodePage(nodes: readonly OperatorNode[], query: NodesQuery): NodePage {
  const { sort, limit } = query
  const isDescending = sort.startsWith('-')
  const key = sort.replace('-', '') as SortKey
  const compare = (a: Cursor, b: Cursor) => {
    const order = compareValues(a.value, b.value) || compareValues(a.id, b.id)
    return isDescending ? -order : order
  }
  const matching = nodes
    .filter(matcher(query))
    .map((node) => ({ node, value: node[key], id: node.id }))
    .sort(compare)
  const cursor = query.cursor === undefined ? undefined : parseCursor(query.cursor)
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

function matcher({ state, rack, nodes, text }: NodesQuery): (node: OperatorNode) => boolean {
  const names = nodes === undefined ? undefined : namesOf(nodes)
  const part = text?.toLowerCase()
  return (node) =>
    (state === undefined || state.includes(node.state)) &&
    (rack === undefined || rack.includes(node.rack)) &&
    (names === undefined || names.has(node.id) || names.has(node.hostname.toLowerCase())) &&
    (part === undefined || textsOf(node).some((own) => own.toLowerCase().includes(part)))
}

function textsOf({ id, hostname, label, rack, address, agent, failure }: OperatorNode) {
  return [id, hostname, label, rack, address, agent, failure?.code ?? '', failure?.message ?? '']
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
