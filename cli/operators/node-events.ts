/** `bootswarm node events`. */
import { complain, printJson, printLines } from '../../host/console.js'
import type { OperatorEvent } from '../../server/api/operators/schemas.js'
import { BootswarmError } from '../../src/errors.js'
import { foldHostlist } from '../../src/hostlist.js'
import { PAGE_MAX } from '../../src/limits.js'
import type { ApiClient } from './client.js'
import { nodesOf } from './node-list.js'
import type { Session } from './session.js'
import { formatTime } from './words.js'

const lastDefault = 50

/** Shows the newest, and with `-f` what comes. */
export async function showEvents({ call, client }: Session): Promise<number> {
  const [hostlist] = call.words
  const last = readLast(call.flags.get('last'))
  const isJson = call.flags.has('json')
  const print = (events: readonly OperatorEvent[]) => {
    if (isJson) for (const event of events) printJson(event)
    else printLines(events.map(eventLine))
  }
  // Before the events are read: one that comes meanwhile is shown by the stream.
  const [newest] = await client.newestEvents(1)
  const { nodes, areAllThere } =
    hostlist === undefined ? { nodes: undefined, areAllThere: true } : await nodesOf(client, call, hostlist)
  const events = nodes === undefined ? await client.newestEvents(last) : await ofNodes(client, nodes, last)
  print(events)
  if (!call.flags.has('follow')) return areAllThere ? 0 : 1
  const afterId = Math.max(newest?.id ?? 0, ...events.map(({ id }) => id))
  const names = nodes?.length === 0 ? hostlist : nodes && foldHostlist(nodes.map(({ id }) => id))
  let lost = ''
  for await (const event of client.follow(names, afterId, (error) => {
    if (error.message !== lost) complain(`${error.code}: ${error.message}; trying again`)
    lost = error.message
  })) {
    lost = ''
    print([event])
  }
  return 0
}

async function ofNodes(
  client: ApiClient,
  nodes: readonly { readonly id: string }[],
  last: number,
): Promise<OperatorEvent[]> {
  const events: OperatorEvent[] = []
  for (const { id } of nodes) events.push(...(await client.newestEvents(last, id)))
  return events.sort((a, b) => a.id - b.id)
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
function eventLine({ at_ms: atMs, node, type, data }: OperatorEvent): string {
  const facts = Object.entries(data).map(([name, value]) => `${name}=${String(value)}`)
  return [formatTime(atMs), node ?? '-', type, ...facts].join(' ')
}
