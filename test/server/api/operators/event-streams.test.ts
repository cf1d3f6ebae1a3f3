/** Streams of events over real connections, from events that are made here. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { EventStreams } from '../../../../server/api/operators/event-streams.js'
import { eventView } from '../../../../server/api/operators/views.js'
import { EVENT_STREAMS_MAX, EVENT_STREAMS_PER_ADDRESS_MAX } from '../../../../src/limits.js'
import type { TimelineEvent } from '../../../../src/timeline.js'
import { until } from '../../../support/processes.js'

const event = (id: number, node = 'a', text = ''): TimelineEvent => ({
  ...{ id, node, timeMs: 1, source: 'agent', type: 'progress', boot: '0'.repeat(16), senderMs: 5 },
  data: { text },
})

async function world(t: TestContext) {
  const events: TimelineEvent[] = []
  const listeners = new Set<() => void>()
  const filters = new Set<object>()
  let isBroken = false
  const responses: ServerResponse[] = []
  const streams = new EventStreams({
    after: (id, filter, limit) => {
      filters.add(filter)
      if (isBroken) throw new Error('no database')
      let at = Math.min(id, events.length)
      while (at > 0 && (events[at - 1]?.id ?? 0) > id) at -= 1
      const page = events.slice(at, at + limit)
      return { events: page, endId: page.at(-1)?.id ?? id, isLast: at + limit >= events.length }
    },
    onAppended: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
  })
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x')
    const node = searchParams.get('node')
    responses.push(response)
    streams.open(response, {
      address: '10.0.0.1',
      tokenId: searchParams.get('token') ?? undefined,
      afterId: Number(searchParams.get('after')),
      filter: { types: ['progress'] },
      wants: (one) => node === null || one.node === node,
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    streams.close()
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const follow = async (query: string) => {
    const [response] = (await once(get({ port, path: `/?${query}`, agent: false }), 'response')) as [
      IncomingMessage,
    ]
    return response
  }
  const append = (...more: TimelineEvent[]) => {
    events.push(...more)
    for (const run of listeners) run()
  }
  return {
    ...{ streams, follow, append, listeners, filters },
    breakIt: () => {
      isBroken = true
    },
    responses,
  }
}

/** The ids that came, as they come. */
function idsOf(response: IncomingMessage): number[] {
  const ids: number[] = []
  let text = ''
  response.on('data', (part: Buffer) => {
    text += part.toString()
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('id: ')) ids.push(Number(line.slice(4)))
  })
  response.on('error', () => {})
  return ids
}

const untilSo = (what: string, isSo: () => boolean) => until(what, async () => (isSo() ? true : undefined))

test('a stream begins after an id, goes on with what comes, and is in the form of server-sent events', async (t) => {
  const { follow, append, filters } = await world(t)
  append(event(1), event(2), event(3))
  const response = await follow('after=1')
  assert.equal(response.headers['content-type'], 'text/event-stream')
  let text = ''
  response.on('data', (part: Buffer) => {
    text += part.toString()
  })
  await untilSo('what there is', () => text.includes('id: 3'))
  append(event(7, 'a', 'line\n\u2028break'))
  await untilSo('what comes', () => text.includes('id: 7') && text.endsWith('\n\n'))
  const blocks = text.split('\n\n').filter((block) => block.startsWith('id: '))
  assert.deepEqual(
    blocks.map((block) => /^id: (\d+)\ndata: (.+)$/.exec(block)?.[1]),
    ['2', '3', '7'],
  )
  assert.deepEqual(
    JSON.parse(/data: (.+)/.exec(blocks[2] ?? '')?.[1] ?? ''),
    eventView(event(7, 'a', 'line\n\u2028break')),
  )
  assert.match(text, /^retry: \d+\n\n/)
  assert.deepEqual([...filters], [{ types: ['progress'] }])
})

test('of thousands of events those that are wanted come, in order and once', async (t) => {
  const { follow, append } = await world(t)
  append(...Array.from({ length: 5000 }, (_, n) => event(n + 1, n % 2 === 0 ? 'a' : 'b')))
  const ids = idsOf(await follow('after=0&node=b'))
  await untilSo('all', () => ids.at(-1) === 5000)
  append(event(5001, 'b'), event(5002, 'a'), event(5003, 'b'))
  await untilSo('the last', () => ids.at(-1) === 5003)
  assert.deepEqual(ids, [...Array.from({ length: 2500 }, (_, n) => 2 * n + 2), 5001, 5003])
})

test('what a client does not read waits in the database, not in memory', async (t) => {
  const { follow, append, responses } = await world(t)
  const slow = await follow('after=0&token=x')
  slow.pause()
  const text = 'x'.repeat(1000)
  const quick = idsOf(await follow('after=0'))
  // 40 MB: more than the kernel holds for two sockets.
  const count = 40_000
  append(...Array.from({ length: count }, (_, n) => event(n + 1, 'a', text)))
  await untilSo('the quick one', () => quick.length === count)
  const waiting = responses[0]?.writableLength ?? Number.NaN
  assert.ok(waiting > 0 && waiting < 64 * 1024, `${waiting} bytes wait for the slow one`)
  const ids = idsOf(slow)
  slow.resume()
  await untilSo('the slow one', () => ids.length === count)
  assert.deepEqual(ids, quick)
})

test('the streams of a revoked token end, others go on', async (t) => {
  const { follow, append, streams } = await world(t)
  const mine = await follow('after=0&token=mine')
  const other = idsOf(await follow('after=0&token=other'))
  mine.resume()
  const ended = once(mine, 'end')
  streams.endOf('mine')
  await ended
  append(event(1))
  await untilSo('the other', () => other.length === 1)
})

test('where the database fails a stream ends, and the client comes back', async (t) => {
  const { follow, append, breakIt } = await world(t)
  const response = await follow('after=0')
  response.resume()
  const ended = once(response, 'end')
  breakIt()
  append(event(1))
  await ended
})

test('streams are bounded for each address and in all, and nothing listens without one', async (t) => {
  const { follow, listeners, streams } = await world(t)
  const open: IncomingMessage[] = []
  for (let n = 0; n < EVENT_STREAMS_PER_ADDRESS_MAX; n += 1) {
    streams.check('10.0.0.1')
    open.push(await follow('after=0'))
  }
  assert.throws(() => streams.check('10.0.0.1'), { code: 'EVENT_STREAMS_TOO_MANY', retryAfterS: 10 })
  streams.check('10.0.0.2')
  while (open.length < EVENT_STREAMS_MAX) open.push(await follow('after=0'))
  assert.throws(() => streams.check('10.0.0.2'), { code: 'EVENT_STREAMS_TOO_MANY' })
  assert.equal(listeners.size, 1)
  for (const response of open) response.destroy()
  await untilSo('that nobody listens', () => listeners.size === 0)
  streams.check('10.0.0.1')
})
