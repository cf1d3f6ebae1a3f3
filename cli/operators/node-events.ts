/** `bootswarm node events`. */
import { complain, printJson, printLines } from '../../host/console.js'
import type { OperatorEvent } from '../../server/api/operators/schemas.js'
import { BootswarmError } from '../../src/errors.js'
import { foldHostlist } from '../../src/hostlist.js'
import { PAGE_MAX } from '../../src/limits.js'
import type { Call } from '../outline.js'
import type { ApiClient, Query } from './client.js'
import { nodesOf } from './node-list.js'
import type { Session } from './session.js'
import { parseSince } from './since.js'
import { formatFacts, formatTime } from './words.js'

const lastDefault = 50

/** Which events are wanted. */
interface Wanted {
  /** What the server filters by. */
  readonly query: Query
  /** The newest so many of each node, or all since a time, milliseconds since 1970. */
  readonly from: { readonly last: number } | { readonly sinceMs: number }
  /** Undefined: of all. */
  readonly nodes: readonly string[] | undefined
}

type Print = (events: readonly OperatorEvent[]) => void

/** Shows the newest, and with `-f` what comes. */
export async function showEvents({ call, client }: Session): Promise<number> {
  const [hostlist] = call.words
  const query = filtersOf(call)
  const since = call.flags.get('since')
  const last = readLast(call.flags.get('last'))
  const from = since === undefined ? { last } : { sinceMs: parseSince(since, Date.now()) }
  const isJson = call.flags.has('json')
  const print: Print = (events) => {
    if (isJson) for (const event of events) printJson(event)
    else printLines(events.map(eventLine))
  }
  // Before the events are read: one that comes meanwhile is shown by the stream.
  const { next } = await client.newestEvents(1, {})
  const { nodes, areAllThere } =
    hostlist === undefined ? { nodes: undefined, areAllThere: true } : await nodesOf(client, call, hostlist)
  const wanted = { query, from, nodes: nodes?.map(({ id }) => id) }
  const afterId = Math.max(next, await show(client, wanted, print))
  if (!call.flags.has('follow')) return areAllThere ? 0 : 1
  const names = nodes?.length === 0 ? hostlist : nodes && foldHostlist(nodes.map(({ id }) => id))
  await follow(client, { ...query, ...(names === undefined ? {} : { nodes: names }) }, afterId, print)
  return 0
}

/** Shows what there is; gives the newest id that was shown. */
async function show(client: ApiClient, { query, from, nodes }: Wanted, print: Print): Promise<number> {
  let lastId = 0
  const shown: Print = (events) => {
    lastId = Math.max(lastId, events.at(-1)?.id ?? 0)
    print(events)
  }
  if (nodes === undefined && 'sinceMs' in from) {
    for await (const { events } of client.eventsSince(from.sinceMs, query)) shown(events)
    return lastId
  }
  const all: OperatorEvent[] = []
  for (const node of nodes ?? [undefined]) {
    if ('last' in from) all.push(...(await client.newestEvents(from.last, query, node)).events)
    else for await (const { events } of client.eventsSince(from.sinceMs, query, node)) all.push(...events)
  }
  shown(all.sort((a, b) => a.id - b.id))
  return lastId
}

/** Shows what comes until a signal ends the process. */
async function follow(client: ApiClient, query: Query, afterId: number, print: Print): Promise<void> {
  let lost = ''
  const onLost = (error: BootswarmError) => {
    if (error.message !== lost) complain(`${error.code}: ${error.message}; trying again`)
    lost = error.message
  }
  for await (const event of client.follow(query, afterId, onLost)) {
    lost = ''
    print([event])
  }
}

/** @throws {BootswarmError} USAGE_INVALID */
function filtersOf({ flags, words }: Call): Query {
  if (flags.has('mac') && words.length > 0)
    throw new BootswarmError('USAGE_INVALID', '--mac goes without NODES')
  const names = ['source', 'type', 'boot', 'mac'] as const
  return Object.fromEntries(names.flatMap((name) => (flags.has(name) ? [[name, flags.get(name) ?? '']] : [])))
}

/** The number of `--last`. @throws {BootswarmError} USAGE_INVALID */
export function readLast(text: string | undefined): number {
  if (text === undefined) return lastDefault
  const last = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : 0
  if (last < 1 || last > PAGE_MAX)
    throw new BootswarmError('USAGE_INVALID', `--last: expected 1 to ${PAGE_MAX}, got ${text.slice(0, 20)}`)
  return last
}

/** One line for people. */
function eventLine({ at_ms: atMs, node, mac, type, data }: OperatorEvent): string {
  return [formatTime(atMs), node ?? mac ?? '-', type, formatFacts(data)].filter(Boolean).join(' ')
}
