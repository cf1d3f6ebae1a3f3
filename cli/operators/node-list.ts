/** `bootswarm node list`, and which nodes words and flags mean. */
import { complain, printJson, printText } from '../../host/console.js'
import type { OperatorNode } from '../../server/api/operators/schemas.js'
import { expandHostlist, foldHostlist } from '../../src/hostlist.js'
import { nextBootText } from '../../src/next-boot.js'
import type { Call } from '../outline.js'
import type { ApiClient } from './client.js'
import type { Session } from './session.js'
import { type Column, formatTable } from './table.js'
import { watch } from './watch.js'
import { parseWhere } from './where.js'
import { countOf, formatDuration } from './words.js'

/**
 * The nodes that words and flags mean. Those of a hostlist that are not there are named on standard error.
 * @throws {BootswarmError} USAGE_INVALID
 */
export async function nodesOf(
  client: ApiClient,
  { flags }: Call,
  hostlist: string | undefined,
): Promise<{ readonly nodes: readonly OperatorNode[]; readonly areAllThere: boolean }> {
  const where = flags.get('where')
  const sort = flags.get('sort')
  const nodes = await client.nodes({
    ...(hostlist === undefined ? {} : { nodes: hostlist }),
    ...(where === undefined ? {} : parseWhere(where)),
    ...(sort === undefined ? {} : { sort }),
  })
  if (hostlist === undefined || where !== undefined) return { nodes, areAllThere: true }
  const there = new Set(nodes.flatMap(({ id, hostname, mac }) => [id, hostname.toLowerCase(), mac]))
  const missing = expandHostlist(hostlist).filter((name) => !there.has(name))
  if (missing.length > 0) complain(`${countOf(missing.length, 'node')} not there: ${foldHostlist(missing)}`)
  return { nodes, areAllThere: missing.length === 0 }
}

/** `node list`. */
export async function listNodes({ call, client, width }: Session): Promise<number> {
  const [hostlist] = call.words
  if (call.flags.has('watch')) {
    return watch(async () => nodeTable(await client.nodes(watched(call)), Date.now(), process.stdout.columns))
  }
  const { nodes, areAllThere } = await nodesOf(client, call, hostlist)
  if (call.flags.has('json')) printJson(nodes)
  else
    printText(
      nodeTable(nodes, Date.now(), width)
        .map((line) => `${line}\n`)
        .join(''),
    )
  return areAllThere ? 0 : 1
}

function watched({ flags, words: [hostlist] }: Call) {
  const where = flags.get('where')
  return {
    ...(hostlist === undefined ? {} : { nodes: hostlist }),
    ...(where === undefined ? {} : parseWhere(where)),
    sort: flags.get('sort') ?? 'id',
  }
}

/** Whether the newest boot stands still. */
export function didStop({ cause }: Pick<OperatorNode, 'cause'>): boolean {
  return cause !== 'BOOTED' && cause !== 'UNDER_WAY'
}

/** A narrower terminal has no room for all columns, characters. */
const wideLength = 80

/** The table; every cell is printable. */
export function nodeTable(nodes: readonly OperatorNode[], nowMs: number, width?: number): string[] {
  const isWide = width === undefined || width >= wideLength
  const columns: (Column<OperatorNode> & { readonly isShown?: boolean })[] = [
    { title: 'NODE', of: ({ id }) => id, min: 8 },
    {
      title: 'HOST',
      of: ({ hostname }) => hostname,
      min: 6,
      isShown: nodes.some(({ id, hostname }) => id !== hostname),
    },
    { title: 'STATE', of: ({ state }) => state },
    { title: 'CAUSE', of: (node) => (didStop(node) ? node.cause : ''), min: 8, isShown: nodes.some(didStop) },
    { title: 'DONE', of: doneOf, isRight: true },
    { title: 'RACK', of: ({ rack }) => rack, min: 4 },
    { title: 'ADDRESS', of: ({ address }) => address, min: 7, isShown: isWide },
    {
      title: 'VER',
      of: ({ version }) => (version === 0 ? '' : String(version)),
      isRight: true,
      isShown: isWide,
    },
    { title: 'SEEN', of: ({ last_seen_ms: ms }) => formatDuration((nowMs - ms) / 1000), isRight: true },
    { title: 'NOTE', of: noteOf, min: 6, isShown: nodes.some((node) => noteOf(node) !== '') },
  ]
  return formatTable(
    columns.filter(({ isShown = true }) => isShown),
    nodes,
    width,
  )
}

function doneOf({
  state,
  done_bytes: done,
  total_bytes: total,
  boot_seconds: seconds,
}: OperatorNode): string {
  if (state === 'booted') return seconds === 0 ? '' : `${seconds.toFixed(1)} s`
  return total === 0 ? '' : `${Math.floor((100 * done) / total)} %`
}

function noteOf({ label, drained, next_boot: next, failure }: OperatorNode): string {
  const drain = drained && ['drained', drained.reason].filter(Boolean).join(': ')
  const once = next && `next boot: ${nextBootText(next)}`
  return [label, drain, once, failure === null ? '' : `${failure.code}: ${failure.message}`]
    .filter(Boolean)
    .join('; ')
}
