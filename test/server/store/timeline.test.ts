import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Sqlite from 'better-sqlite3'
import { operatorWriter } from '../../../server/store/operators.js'
import { migrate } from '../../../server/store/schema.js'
import { type NewTimelineEvent, type NodeRow, openStore } from '../../../server/store/store.js'
import { timelineTable } from '../../../server/store/timeline.js'
import type { TimelineBounds } from '../../../server/store/timeline-bounds.js'
import { writeJobs } from '../../../server/store/write-jobs.js'
import { TIMELINE_READ_MAX } from '../../../src/limits.js'
import { checkout } from '../../support/scratch.js'

const [mac, other] = ['52:54:00:00:00:01', '52:54:00:00:00:02']
const [boot, provisional] = ['0123456789abcdef', '00000000000000aa']

const row = (id: string, more: Partial<NodeRow> = {}): NodeRow => ({
  ...{ id, firstSeenMs: 1, lastSeenMs: 1, address: '10.0.0.1', rack: 'r', state: 'seen' },
  ...{ version: null, boot: null, isKnown: true },
  ...more,
})
const fact = (more: Partial<NewTimelineEvent> = {}): NewTimelineEvent => ({
  ...{ timeMs: 1, source: 'dhcp', type: 'dhcp.seen', mac, node: null, boot: provisional },
  ...{ seq: null, senderMs: null, data: '{}', before: null },
  ...more,
})
const report = (node: string, seq: number, more: Partial<NewTimelineEvent> = {}): NewTimelineEvent =>
  fact({ source: 'agent', type: 'progress', mac: null, node, boot, seq, senderMs: seq, ...more })

/** A database in memory. */
function place(t: TestContext, bounds: Partial<TimelineBounds> = {}, bytesMax = 2 ** 40) {
  const db = new Sqlite(':memory:')
  t.after(() => db.close())
  db.pragma('foreign_keys = ON')
  migrate(db)
  const write = writeJobs(db, bytesMax, bounds)
  const save = (events: readonly NewTimelineEvent[], nodes: readonly NodeRow[] = []) =>
    write({ kind: 'timeline', batch: { forgotten: [], nodes, events } })
  const forget = (...forgotten: string[]) =>
    write({ kind: 'timeline', batch: { forgotten, nodes: [], events: [] } })
  return { db, save, forget, timeline: timelineTable(db) }
}

test('ids rise, and what comes after one is read in parts', (t) => {
  const { save, timeline } = place(t)
  save(Array.from({ length: 5 }, (_, n) => fact({ timeMs: n })))
  const first = timeline.after(0, 3)
  assert.deepEqual(
    first.map(({ timeMs }) => timeMs),
    [0, 1, 2],
  )
  const rest = timeline.after(first.at(-1)?.id ?? 0)
  assert.deepEqual(
    rest.map(({ timeMs }) => timeMs),
    [3, 4],
  )
  assert.deepEqual(rest[0], {
    ...{ id: 4, timeMs: 3, source: 'dhcp', type: 'dhcp.seen', mac, boot: provisional, data: {} },
  })
  assert.deepEqual(timeline.after(5), [])
})

test('a machine turns out to be a node: what was seen of it before is the node’s, and of its agent’s boot', (t) => {
  const { save, timeline } = place(t)
  const earlier = '00000000000000bb'
  save([fact({ boot: earlier, timeMs: 1 }), fact({ timeMs: 2 }), fact({ mac: other, timeMs: 3 })])
  save(
    [
      fact({
        source: 'server',
        type: 'machine.identified',
        node: 'rig1',
        boot,
        before: provisional,
        timeMs: 4,
      }),
      report('rig1', 0, { mac, timeMs: 5 }),
    ],
    [row('rig1', { boot })],
  )
  const times = (events: readonly { timeMs: number }[]) => events.map(({ timeMs }) => timeMs)
  assert.deepEqual(times(timeline.ofNode('rig1')), [1, 2, 4, 5])
  assert.deepEqual(times(timeline.ofBoot(boot)), [2, 4, 5])
  assert.deepEqual(times(timeline.ofBoot(earlier)), [1])
  assert.deepEqual(times(timeline.ofMac(mac)), [1, 2, 4, 5])
  assert.deepEqual(timeline.ofMac(other)[0]?.node, undefined)
})

test('of a node that is forgotten nothing is left, and later facts are of its machine alone', (t) => {
  const { save, forget, timeline } = place(t)
  save([fact({ node: mac }), report(mac, 0, { mac })], [row(mac)])
  assert.equal(timeline.ofNode(mac).length, 2)
  forget(mac)
  assert.deepEqual(timeline.after(0), [])
  save([fact({ node: mac }), report(mac, 1, { mac })])
  assert.deepEqual(
    timeline.ofMac(mac).map(({ source, node }) => [source, node]),
    [['dhcp', undefined]],
  )
})

test('machines that are no nodes are bounded each and all together, and push nothing of nodes or the server out', (t) => {
  const { save, timeline } = place(t, { perUnknownNodeMax: 10, strangersMax: 50, sweepEvents: 1 })
  const started = fact({ source: 'server', type: 'server.started', mac: null, boot: null })
  save([started, report('rig1', 0), fact({ mac: other, node: 'rig1' })], [row('rig1')])
  for (let n = 0; n < 100; n += 1) save([fact({ mac, timeMs: n })])
  assert.equal(timeline.ofMac(mac).length, 10)
  for (let n = 0; n < 200; n += 1) save([fact({ mac: `52:54:00:00:01:${n.toString(16).padStart(2, '0')}` })])
  const kept = timeline.after(0)
  assert.equal(kept.filter(({ node, source }) => node === undefined && source === 'dhcp').length, 50)
  assert.equal(kept.filter(({ node }) => node === 'rig1').length, 2)
  assert.equal(kept.filter(({ type }) => type === 'server.started').length, 1)
})

test('what the server says of itself is bounded', (t) => {
  const { save, timeline } = place(t, { serverMax: 20, sweepEvents: 1 })
  for (let n = 0; n < 100; n += 1)
    save([fact({ source: 'server', type: 'config.reloaded', mac: null, boot: null, timeMs: n })])
  assert.deepEqual([timeline.after(0).length, timeline.after(0)[0]?.timeMs], [20, 80])
})

test('old events go, but for those of the newest boot of each node', (t) => {
  const { save, timeline } = place(t, { ageMaxMs: 1000, sweepEvents: 1 })
  const old = 'f'.repeat(16)
  save([report('rig1', 0, { boot: old }), report('rig1', 0), fact()], [row('rig1', { boot })])
  save([fact({ timeMs: 1000 })])
  assert.equal(timeline.after(0).length, 4, 'none is older')
  save([fact({ timeMs: 1500 })])
  assert.deepEqual(
    timeline.after(0).map((event) => [event.boot, event.timeMs]),
    [
      [boot, 1],
      [provisional, 1000],
      [provisional, 1500],
    ],
  )
  // It boots anew: what was kept for being the newest is looked at again.
  const next = 'e'.repeat(16)
  save([report('rig1', 0, { boot: next, timeMs: 1600 })], [row('rig1', { boot: next })])
  save([fact({ timeMs: 1700 })])
  assert.deepEqual(
    timeline.ofNode('rig1').map((event) => event.boot),
    [next],
  )
})

test('above its bound the database loses strangers first, then unknown nodes, and newest boots last', (t) => {
  const bytesMax = 3 * 1024 * 1024
  const data = JSON.stringify({ text: 'x'.repeat(1000) })
  const many = (count: number, make: (n: number) => NewTimelineEvent) =>
    Array.from({ length: count }, (_, n) => ({ ...make(n), data }))
  const { save, timeline } = place(t, {}, bytesMax)
  const counts = () => ['rig1', 'rig2', 'rig3'].map((id) => timeline.ofNode(id).length)
  const old = 'f'.repeat(16)
  save(
    many(100, (n) => report('rig1', n)),
    [row('rig1', { boot })],
  )
  save(
    many(100, (n) => report('rig2', n, { boot: old })),
    [row('rig2', { boot })],
  )
  save(
    many(100, (n) => report('rig3', n)),
    [row('rig3', { isKnown: false })],
  )
  for (let n = 0; n < 200; n += 1) {
    const stranger = `52:54:00:00:01:${n.toString(16).padStart(2, '0')}`
    save(many(100, () => fact({ mac: stranger })))
  }
  assert.deepEqual(counts(), [100, 100, 100])
  const nodes = (count: number, isKnown: boolean, name: string, of: string) => {
    for (let n = 0; n < count; n += 1) {
      const id = `${name}-${n}`
      save(
        many(100, (seq) => report(id, seq, { boot: of })),
        [row(id, { isKnown, boot })],
      )
    }
  }
  nodes(50, false, 'invented', boot)
  assert.deepEqual(counts(), [100, 100, 0])
  nodes(10, true, 'other', old)
  nodes(10, true, 'another', old)
  assert.deepEqual(counts(), [100, 0, 0])
  nodes(50, true, 'newest', boot)
  assert.deepEqual(counts(), [0, 0, 0], 'all newest boots together are too many')
})

test('what operators did outlasts whatever else comes, and its age', (t) => {
  const { db, save, timeline } = place(t, { serverMax: 5, ageMaxMs: 1000, sweepEvents: 1 }, 1024 * 1024)
  const act = operatorWriter(db)
  const acts = 20
  for (let n = 0; n < acts; n += 1) {
    const audit = { atMs: n, who: 'w', address: 'local', action: 'token.made', target: 't', detail: '' }
    act({ change: { kind: 'none' }, audit })
  }
  const data = JSON.stringify({ text: 'x'.repeat(1000) })
  for (let n = 0; n < 20; n += 1) {
    save([fact({ source: 'server', type: 'config.reloaded', mac: null, boot: null, timeMs: 2000 + n })])
    const events = Array.from({ length: 100 }, (_, seq) => report(`rig${n}`, seq, { timeMs: 5000, data }))
    save(events, [row(`rig${n}`, { boot })])
  }
  const kept = timeline.after(0)
  assert.ok(kept.filter(({ source }) => source === 'agent').length < 2000, 'the database was too large')
  assert.equal(kept.filter(({ source }) => source === 'operator').length, acts)
})

test('no answer is longer than the bound', (t) => {
  const { save, timeline } = place(t)
  const macs = Array.from({ length: 40 }, (_, n) => `52:54:00:00:01:${n.toString(16).padStart(2, '0')}`)
  save(macs.flatMap((one) => Array.from({ length: 100 }, () => fact({ mac: one }))))
  assert.equal(timeline.after(0, 1_000_000).length, TIMELINE_READ_MAX)
  assert.equal(timeline.ofMac(macs[0] ?? '', 3).length, 3)
})

test('a data directory of the sixth schema is brought up to date: its events are the beginning of the timeline', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-store-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'db')
  const old = new Sqlite(file)
  old.exec(readFileSync(join(checkout, 'test', 'server', 'store', 'schema-6.sql'), 'utf8'))
  old.close()
  const store = openStore({
    file,
    nowMs: 0,
    log: { warn: (...args: unknown[]) => assert.fail(String(args)) },
  })
  t.after(() => store.close())
  const agent = { boot, source: 'agent' } as const
  assert.deepEqual(
    store.timeline.after(0).map(({ data: _, ...event }) => event),
    [
      { ...agent, id: 1, timeMs: 1000, senderMs: 1, mac, node: mac, type: 'boot.started' },
      { ...agent, id: 2, timeMs: 1005, senderMs: 6, mac, node: mac, type: 'boot.completed' },
      { ...agent, id: 3, timeMs: 1010, senderMs: 1, node: 'rig1', type: 'boot.started' },
    ],
  )
  assert.deepEqual(
    store.nodes.list().map(({ id, isKnown }) => [id, isKnown]),
    [
      [mac, true],
      ['rig1', false],
    ],
  )
  // An agent repeats what was acknowledged by the server of before.
  await store.saveTimeline({ forgotten: [], nodes: [], events: [report('rig1', 0), report('rig1', 1)] })
  assert.deepEqual(
    store.timeline.reports('rig1', boot).map(({ seq }) => seq),
    [0, 1],
  )
  assert.ok((store.timeline.after(3)[0]?.id ?? 0) > 3)
})

test('a boot is read by its node or its machine, whoever else names one like that', (t) => {
  const { save, timeline } = place(t)
  save([fact({ timeMs: 1 }), fact({ timeMs: 2, boot }), fact({ mac: other, boot, timeMs: 3 })])
  save([report('rig1', 0, { timeMs: 4 }), report('rig2', 0, { timeMs: 5 })], [row('rig1'), row('rig2')])
  const times = (events: readonly { timeMs: number }[]) => events.map(({ timeMs }) => timeMs)
  assert.deepEqual(times(timeline.bootOfMachine(mac, boot)), [2])
  assert.deepEqual(times(timeline.bootOfMachine(mac, provisional)), [1])
  assert.deepEqual(times(timeline.bootOfNode('rig1', boot)), [4])
  assert.deepEqual(timeline.bootOfNode('rig1', provisional), [])
})

test('machines that were heard of, with their newest boots', (t) => {
  const { save, timeline } = place(t)
  const address = JSON.stringify({ address: '10.0.0.5' })
  save([fact({ boot: 'e'.repeat(16), timeMs: 1 }), fact({ timeMs: 2, data: address })])
  save([fact({ timeMs: 3, source: 'http', type: 'script.asked', data: '{"address":7}' })])
  save(
    [
      fact({ mac: other, node: 'rig1', boot: provisional, timeMs: 4 }),
      report('rig1', 0, { mac: other, timeMs: 5 }),
      report('nomac', 0, { timeMs: 6 }),
      fact({ mac: null, source: 'server', type: 'server.started', boot: null, timeMs: 7 }),
    ],
    [row('rig1', { boot }), row('nomac', { boot })],
  )
  const stranger = {
    ...{ mac, node: undefined, boot: provisional, agentBoot: '', address: '10.0.0.5' },
    ...{ firstMs: 1, bootMs: 2, heardMs: 3, types: ['dhcp.seen', 'script.asked'] },
  }
  const rig1 = {
    ...{ mac: other, node: 'rig1', boot, agentBoot: boot, address: '', types: [] },
    ...{ firstMs: 5, bootMs: 5, heardMs: 5 },
  }
  assert.deepEqual(timeline.machines(10), [stranger, rig1])
  assert.deepEqual(timeline.machines(0), [rig1])
  save([fact({ mac: other, node: 'rig1', boot: 'd'.repeat(16), timeMs: 8 })])
  assert.deepEqual(timeline.machines(0), [
    { ...rig1, boot: 'd'.repeat(16), firstMs: 8, bootMs: 8, heardMs: 8, types: ['dhcp.seen'] },
  ])
})

test('of a machine that is forgotten nothing is left, and of no other one', (t) => {
  const { save, forget, timeline } = place(t)
  save([fact(), fact({ mac: other }), fact({ node: 'rig1' })], [row('rig1')])
  forget(mac)
  assert.deepEqual(
    timeline.after(0).map((event) => [event.mac, event.node]),
    [
      [other, undefined],
      [mac, 'rig1'],
    ],
  )
})
