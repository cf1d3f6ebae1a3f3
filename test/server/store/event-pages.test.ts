import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  type EventFilter,
  type NewTimelineEvent,
  openStore,
  type StoredPage,
} from '../../../server/store/store.js'

const [mac, other] = ['52:54:00:00:00:01', '52:54:00:00:00:02']
const boot = '0123456789abcdef'

function place(t: TestContext) {
  const store = openStore({ file: ':memory:', nowMs: 0, log: { warn: () => {} } })
  t.after(() => store.close())
  const node = (id: string) => ({
    ...{ id, firstSeenMs: 1, lastSeenMs: 1, address: '10.0.0.1', rack: 'r', state: 'seen' as const },
    ...{ version: null, boot: null, isKnown: true },
  })
  const save = (events: readonly NewTimelineEvent[], nodes: readonly string[] = []) =>
    store.saveTimeline({ forgotten: [], nodes: nodes.map(node), events })
  const forget = (id: string) => store.saveTimeline({ forgotten: [id], nodes: [], events: [] })
  return { pages: store.eventPages, save, forget }
}

const fact = (more: Partial<NewTimelineEvent> = {}): NewTimelineEvent => ({
  ...{ timeMs: 1, source: 'dhcp', type: 'dhcp.seen', mac, node: null, boot: null },
  ...{ seq: null, senderMs: null, data: '{}', before: null },
  ...more,
})
const report = (node: string, seq: number, more: Partial<NewTimelineEvent> = {}): NewTimelineEvent =>
  fact({ source: 'agent', type: 'progress', mac: null, node, boot, seq, senderMs: seq * 10, ...more })
const ids = ({ events }: StoredPage) => events.map(({ id }) => id)

test('events come page by page, the oldest first, forwards and backwards', async (t) => {
  const { pages, save, forget } = place(t)
  assert.equal(pages.lastId(), 0)
  assert.deepEqual(pages.before(1, {}, 5), { events: [], endId: 0, isLast: true })
  assert.deepEqual(pages.after(0, {}, 5), { events: [], endId: 0, isLast: true })
  await save(
    Array.from({ length: 10 }, (_, n) => report(n % 2 === 0 ? 'a' : 'b', n)),
    ['a', 'b'],
  )
  const parts = (page: StoredPage) => [ids(page), page.endId, page.isLast]
  assert.deepEqual(parts(pages.after(0, {}, 3)), [[1, 2, 3], 3, false])
  assert.deepEqual(parts(pages.after(8, {}, 3)), [[9, 10], 10, true])
  assert.deepEqual(parts(pages.before(11, {}, 3)), [[8, 9, 10], 8, false])
  assert.deepEqual(parts(pages.before(3, {}, 3)), [[1, 2], 0, true])
  assert.deepEqual(parts(pages.after(2, { node: 'b' }, 3)), [[4, 6, 8], 8, false])
  assert.deepEqual(parts(pages.after(8, { node: 'b' }, 3)), [[10], 10, true])
  assert.deepEqual(ids(pages.before(11, { node: 'a' }, 2)), [7, 9])
  const [tenth] = pages.after(9, {}, 1).events
  assert.deepEqual(tenth, {
    ...{ id: 10, timeMs: 1, senderMs: 90, node: 'b', boot, source: 'agent', type: 'progress', data: {} },
  })
  await forget('b')
  assert.equal(pages.lastId(), 9)
  await save([report('a', 99)])
  assert.deepEqual(ids(pages.after(9, {}, 9)), [11], 'an id is never given twice')
})

test('each filter, and all of them together', async (t) => {
  const { pages, save } = place(t)
  await save(
    [
      fact({ boot, timeMs: 1000 }),
      fact({ mac: other, type: 'dhcp.refused', timeMs: 2000 }),
      fact({ source: 'tftp', type: 'program.sent', boot, timeMs: 3000 }),
      fact({ mac: null, source: 'server', type: 'server.started', timeMs: 4000 }),
      report('rig1', 0, { timeMs: 5000 }),
      fact({ node: 'rig1', boot, type: 'dhcp.refused', timeMs: 6000 }),
    ],
    ['rig1'],
  )
  const cases: readonly (readonly [EventFilter, number[]])[] = [
    [{ mac }, [1, 3, 6]],
    [{ mac: other }, [2]],
    [{ boot }, [1, 3, 5, 6]],
    [{ node: 'rig1' }, [5, 6]],
    [{ sources: ['dhcp', 'server'] }, [1, 2, 4, 6]],
    [{ sources: [] }, []],
    [{ types: ['dhcp.refused', 'progress'] }, [2, 5, 6]],
    [{ sinceMs: 4000 }, [4, 5, 6]],
    [{ mac, types: ['dhcp.refused'], sources: ['dhcp'], boot, node: 'rig1', sinceMs: 6000 }, [6]],
    [{ mac, types: ['dhcp.refused'], sources: ['dhcp'], boot, node: 'rig1', sinceMs: 6001 }, []],
    [{ node: 'rig1', mac: other }, []],
  ]
  for (const [filter, found] of cases) {
    assert.deepEqual(ids(pages.after(0, filter, 100)), found, JSON.stringify(filter))
    assert.deepEqual(ids(pages.before(7, filter, 100)), found, JSON.stringify(filter))
  }
})

test('one answer looks through a bounded number of events, and the next ones go on from there', async (t) => {
  const { pages, save } = place(t)
  const wanted = fact({ type: 'boot.rare', mac: other })
  // Fewer of each machine than are kept of one.
  const macs = (n: number) => `02:00:00:00:00:${(n % 200).toString(16).padStart(2, '0')}`
  const facts = Array.from({ length: 10_000 }, (_, n) => fact({ mac: macs(n) }))
  await save([wanted, ...facts, wanted])
  const filter = { types: ['boot.rare'] }
  const forward: number[] = []
  let pagesRead = 0
  for (let [id, isLast] = [0, false]; !isLast; pagesRead += 1) {
    const page = pages.after(id, filter, 100)
    assert.ok(page.endId > id)
    forward.push(...ids(page))
    ;[id, isLast] = [page.endId, page.isLast]
  }
  assert.deepEqual(forward, [1, 10_002])
  assert.ok(pagesRead > 2)
  const backward: number[] = []
  for (let [id, isLast] = [pages.lastId() + 1, false]; !isLast; ) {
    const page = pages.before(id, filter, 100)
    assert.ok(page.endId < id)
    backward.push(...ids(page))
    ;[id, isLast] = [page.endId, page.isLast]
  }
  assert.deepEqual(backward, [10_002, 1])
  assert.deepEqual(ids(pages.before(10_003, { mac: other }, 9)), [1, 10_002], 'an index leads there at once')
})

test('the id before a time', async (t) => {
  const { pages, save } = place(t)
  assert.equal(pages.idBefore(5), 0)
  await save(
    Array.from({ length: 9 }, (_, n) => report('a', n, { timeMs: 100 * n })),
    ['a'],
  )
  await save([fact({ timeMs: 1000 })])
  const found = (timeMs: number) => ids(pages.after(pages.idBefore(timeMs), {}, 1))
  assert.deepEqual([found(0), found(1), found(100), found(750), found(801)], [[1], [2], [2], [9], [10]])
  assert.deepEqual([found(1000), found(1001), pages.idBefore(5000)], [[10], [], 10])
})
