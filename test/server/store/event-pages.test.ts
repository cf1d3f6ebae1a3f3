import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openStore } from '../../../server/store/store.js'

test('events come page by page, the oldest first, each with an id that is never given twice', async (t) => {
  const store = openStore({ file: ':memory:', nowMs: 0, log: { warn: () => {} } })
  t.after(() => store.close())
  const { eventPages: pages } = store
  assert.equal(pages.lastId(), 0)
  assert.deepEqual(pages.newest(5), [])
  const node = (id: string) => ({
    ...{ id, firstSeenMs: 1, lastSeenMs: 1, address: '10.0.0.1', rack: 'r', state: 'seen' as const },
    ...{ version: null, boot: null, isKnown: true },
  })
  const event = (of: string, seq: number) => ({
    ...{ node: of, boot: '0123456789abcdef', seq, senderMs: seq * 10, timeMs: 7 },
    ...{ type: 'progress', source: 'agent' as const, mac: null, data: '{}', before: null },
  })
  const save = (batch: Partial<Parameters<typeof store.saveTimeline>[0]>) =>
    store.saveTimeline({ forgotten: [], nodes: [], events: [], ...batch })
  const events = Array.from({ length: 10 }, (_, n) => event(n % 2 === 0 ? 'a' : 'b', n))
  await save({ nodes: [node('a'), node('b')], events })
  const ids = (page: readonly { id: number }[]) => page.map(({ id }) => id)
  assert.deepEqual(ids(pages.after(0, 3)), [1, 2, 3])
  assert.deepEqual(ids(pages.after(8, 3)), [9, 10])
  assert.deepEqual(ids(pages.newest(3)), [8, 9, 10])
  assert.deepEqual(ids(pages.ofNodeAfter('b', 2, 3)), [4, 6, 8])
  assert.deepEqual(ids(pages.newestOfNode('a', 2)), [7, 9])
  assert.deepEqual(pages.after(9, 1), [
    {
      id: 10,
      node: 'b',
      boot: '0123456789abcdef',
      seq: 9,
      tMs: 90,
      receivedMs: 7,
      type: 'progress',
      data: '{}',
    },
  ])
  await save({ forgotten: ['b'] })
  assert.equal(pages.lastId(), 9)
  await save({ events: [event('a', 99)] })
  assert.deepEqual(ids(pages.after(9, 9)), [11])
})
