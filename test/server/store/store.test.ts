import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import Sqlite from 'better-sqlite3'
import { lockDataDir } from '../../../server/store/lock.js'
import { migrate, SCHEMA_VERSION } from '../../../server/store/schema.js'
import {
  type ArtifactRecord,
  type NewTimelineEvent,
  type NodeRow,
  openStore,
  type Store,
  type TimelineBatch,
} from '../../../server/store/store.js'
import { timelineTable } from '../../../server/store/timeline.js'
import { writeJobs } from '../../../server/store/write-jobs.js'
import type { Lease } from '../../../src/dhcp-lease.js'
import type { BootEvent } from '../../../src/events.js'
import { EVENTS_PER_NODE_MAX, EVENTS_PER_UNKNOWN_NODE_MAX } from '../../../src/limits.js'
import { until } from '../../support/processes.js'
import { checkout } from '../../support/scratch.js'
import { limitProcess } from '../main/processes.js'

const HERE = (path: string): string =>
  JSON.stringify(new URL(`../../../server/store/${path}`, import.meta.url).href)
const RECORD: ArtifactRecord = {
  path: 'rootfs/r.tar',
  sizeBytes: 5_000_000_000,
  mtimeNs: 1_790_000_000_123_456_789n,
  ctimeNs: 1_790_000_000_987_654_321n,
  checked: '{"by":"1"}',
  inode: 2n ** 64n - 3n,
  sha256: 'ab'.repeat(32),
  infohash: 'cd'.repeat(20),
  pieceLengthBytes: 262_144,
  pieces: new Uint8Array(40).fill(7),
}
const BOOT = '0123456789abcdef'
const LEASE: Lease = { address: 7, mac: '52:54:00:00:00:01', expiresMs: 9 }

function directory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-store-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function open(t: TestContext, file: string, warnings: unknown[] = []): Store {
  const store = openStore({ file, nowMs: 0, log: { warn: (...args: unknown[]) => void warnings.push(args) } })
  t.after(() => store.close())
  return store
}

const event = (seq: number, boot = BOOT): BootEvent => ({
  boot,
  seq,
  t_ms: seq * 10,
  type: 'boot.completed',
  data: { seconds: 1.5, from_peers_bytes: 1, from_origin_bytes: 2, version: 3 },
})
const node = (id: string, more: Partial<NodeRow> = {}): NodeRow => ({
  ...{ id, firstSeenMs: 1, lastSeenMs: 1, address: '10.0.0.1', rack: 'r', state: 'seen' },
  ...{ version: null, boot: null, isKnown: true },
  ...more,
})
const newEvent = (
  id: string,
  { boot, seq, t_ms: senderMs, type, data }: BootEvent,
  timeMs = 1,
): NewTimelineEvent => ({
  ...{ node: id, mac: null, timeMs, boot, seq, senderMs, source: 'agent', type, before: null },
  data: JSON.stringify(data),
})
const save = (store: Store, batch: Partial<TimelineBatch>) =>
  store.saveTimeline({ forgotten: [], nodes: [], events: [], ...batch })
/** The sequence numbers of what is kept of a node's boot. */
const seqs = (store: Pick<Store, 'timeline'>, id: string, boot = BOOT) =>
  store.timeline.reports(id, boot).map(({ seq }) => seq)

test('what was written is there after closing and opening', async (t) => {
  const file = join(directory(t), 'db')
  const first = open(t, file)
  first.artifacts.put(RECORD)
  first.versions.publish('{"a":1}', 5)
  await save(first, { nodes: [node('a')], events: [newEvent('a', event(0), 6)] })
  await first.saveLeases([{ address: 7, lease: LEASE }])
  await first.close()
  await first.close()
  const second = open(t, file)
  assert.deepEqual(second.artifacts.find(RECORD.path, RECORD), RECORD)
  assert.deepEqual(second.versions.list(), [{ number: 1, createdMs: 5, content: '{"a":1}' }])
  assert.deepEqual(second.timeline.reports('a', BOOT), [{ ...event(0), receivedMs: 6 }])
  assert.deepEqual(second.nodes.list(), [node('a')])
  assert.deepEqual(second.leases.list(), [LEASE])
})

test('a hash counts only for the very same file', (t) => {
  const { artifacts } = open(t, ':memory:')
  artifacts.put(RECORD)
  const changes = [
    { sizeBytes: 1 },
    { mtimeNs: RECORD.mtimeNs + 1n },
    { ctimeNs: RECORD.ctimeNs + 1n },
    { inode: 1n },
  ]
  for (const change of changes) {
    assert.equal(artifacts.find(RECORD.path, { ...RECORD, ...change }), undefined)
  }
  assert.equal(artifacts.find('other', RECORD), undefined)
  artifacts.put({ ...RECORD, sizeBytes: 7 })
  assert.equal(artifacts.find(RECORD.path, { ...RECORD, sizeBytes: 7 })?.sizeBytes, 7)
  artifacts.put({ ...RECORD, path: 'plugins/p' })
  assert.equal(artifacts.keepOnly(['plugins/p', "x'--"]), 1)
  assert.equal(artifacts.find('plugins/p', RECORD)?.path, 'plugins/p')
})

test('version numbers only grow, also when the newest were removed', async (t) => {
  const file = join(directory(t), 'db')
  const store = open(t, file)
  for (let i = 1; i <= 5; i++) assert.equal(store.versions.publish(`${i}`, i), i)
  assert.deepEqual(store.versions.prune(2, [2]), [1, 3])
  assert.deepEqual(
    store.versions.list().map((version) => version.number),
    [5, 4, 2],
  )
  assert.deepEqual(store.versions.prune(0), [2, 4, 5])
  assert.deepEqual(store.versions.list(), [])
  await store.close()
  assert.equal(open(t, file).versions.publish('6', 6), 6)
})

test('a row is replaced as a whole, and goes with its events', async (t) => {
  const store = open(t, ':memory:')
  await save(store, { nodes: [node('b', { state: 'booting', version: 3, boot: BOOT, isKnown: false })] })
  const b = node('b', { lastSeenMs: 20, state: 'booted', address: '10.0.0.2' })
  await save(store, { nodes: [b, node('a')], events: [newEvent('b', event(0)), newEvent('a', event(0))] })
  assert.deepEqual(store.nodes.list(), [node('a'), b])
  await save(store, { forgotten: ['b', 'unknown'] })
  assert.deepEqual(store.nodes.list(), [node('a')])
  assert.deepEqual(store.timeline.ofNode('b'), [])
  // Forgotten and seen again within one transaction.
  await save(store, { forgotten: ['a'], nodes: [node('a')], events: [newEvent('a', event(1))] })
  assert.deepEqual(seqs(store, 'a'), [1])
})

test('events: repeats are left out, the oldest of a node go', async (t) => {
  const store = open(t, ':memory:')
  const { timeline } = store
  await save(store, { nodes: [node('a'), node('b'), node('c', { isKnown: false })] })
  await save(store, {
    events: [newEvent('nobody', event(0)), newEvent('a', event(0)), newEvent('a', event(1))],
  })
  const other = 'f'.repeat(16)
  await save(store, { events: [event(1), event(2), event(0, other)].map((one) => newEvent('a', one, 2)) })
  assert.deepEqual(
    timeline.ofNode('a').map(({ boot, senderMs, timeMs }) => [boot, senderMs, timeMs]),
    [
      [BOOT, 0, 1],
      [BOOT, 10, 1],
      [BOOT, 20, 2],
      [other, 0, 2],
    ],
  )
  assert.deepEqual(seqs(store, 'a'), [0, 1, 2])
  assert.deepEqual(timeline.ofNode('nobody'), [])
  await save(store, { events: [newEvent('b', event(0))] })
  const many = Array.from({ length: EVENTS_PER_NODE_MAX + 10 }, (_, seq) => event(seq))
  await save(store, { events: many.flatMap((one) => [newEvent('a', one), newEvent('c', one)]) })
  assert.equal(timeline.ofNode('a').length, EVENTS_PER_NODE_MAX)
  assert.equal(seqs(store, 'a').at(-1), EVENTS_PER_NODE_MAX + 9)
  assert.equal(timeline.ofNode('b').length, 1)
  assert.equal(timeline.ofNode('c').length, EVENTS_PER_UNKNOWN_NODE_MAX, 'nobody knows it')
  assert.deepEqual(
    timeline.ofNode('a', 2).map((one) => one.senderMs),
    [10 * (EVENTS_PER_NODE_MAX + 8), 10 * (EVENTS_PER_NODE_MAX + 9)],
  )
})

test('a batch is kept as a whole or not at all', async (t) => {
  const store = open(t, join(directory(t), 'db'))
  await save(store, { nodes: [node('a')], events: [newEvent('a', event(0))] })
  const events = [newEvent('a', event(1)), { ...newEvent('a', event(2)), data: null as unknown as string }]
  await assert.rejects(save(store, { nodes: [node('b')], events }), { code: 'DATABASE_FAILED' })
  assert.deepEqual(
    store.nodes.list().map(({ id }) => id),
    ['a'],
  )
  assert.deepEqual(seqs(store, 'a'), [0])
  await save(store, { nodes: [node('b')] })
  assert.equal(store.nodes.list().length, 2, 'the thread works on after a failure')
})

test('above its bound the database loses the oldest events, those of unknown nodes first', (t) => {
  const db = new Sqlite(':memory:')
  t.after(() => db.close())
  migrate(db)
  const boundBytes = 4 * 1024 * 1024
  const write = writeJobs(db, boundBytes)
  const data = JSON.stringify({ text: 'x'.repeat(1000) })
  const pad = (id: string, from: number, count: number) =>
    Array.from({ length: count }, (_, n) => ({ ...newEvent(id, event(from + n)), data }))
  const saveNow = (batch: Partial<TimelineBatch>) =>
    write({ kind: 'timeline', batch: { forgotten: [], nodes: [], events: [], ...batch } })
  const { ofNode } = timelineTable(db)
  saveNow({ nodes: [node('known')], events: pad('known', 0, 500) })
  for (let n = 0; n < 200; n += 1) {
    const id = `invented-${n}`
    saveNow({ nodes: [node(id, { isKnown: false })], events: pad(id, 0, 100) })
  }
  assert.equal(ofNode('known').length, 500, 'unknown nodes push nothing of a known one out')
  for (let n = 0; n < 20; n += 1) {
    const id = `known-${n}`
    saveNow({ nodes: [node(id)], events: pad(id, 0, 500) })
  }
  assert.equal(ofNode('known').length, 0, 'then the oldest go')
  assert.equal(ofNode('known-19').length, 500)
  const pages = Number(db.pragma('page_count', { simple: true }))
  assert.ok(pages * 4096 < 2 * boundBytes, `${pages} pages`)
})

test('a database of the second schema is brought up to date with all that it holds', async (t) => {
  const file = join(directory(t), 'db')
  const old = new Sqlite(file)
  old.exec(readFileSync(join(checkout, 'test', 'server', 'store', 'schema-2.sql'), 'utf8'))
  old.close()
  const store = open(t, file)
  assert.deepEqual(store.versions.list(), [{ number: 7, createdMs: 5, content: '{"artifacts":[]}' }])
  assert.equal(store.versions.publish('{}', 6), 8)
  assert.deepEqual(
    store.nodes.list().map(({ id, state, version, boot, isKnown }) => [id, state, version, boot, isKnown]),
    [['rig1', 'stopped', 7, BOOT, true]],
  )
  assert.deepEqual(store.timeline.reports('rig1', BOOT), [{ ...event(0), receivedMs: 6 }])
  assert.deepEqual(store.leases.list(), [
    {
      address: 167_772_161,
      mac: '52:54:00:00:00:01',
      expiresMs: 9,
      relayPort: { circuitId: 'c', remoteId: '' },
    },
  ])
  // Hashed without its change time: it is hashed once more.
  assert.equal(store.artifacts.find('rootfs/r.tar', { ...RECORD, inode: 3n }), undefined)
  await store.close()
  const now = new Sqlite(file)
  t.after(() => now.close())
  assert.equal(now.pragma('user_version', { simple: true }), SCHEMA_VERSION)
  assert.equal(now.prepare("SELECT name FROM sqlite_master WHERE name = 'counters'").get(), undefined)
})

test('a corrupt file is moved aside with a warning, and a new one made', async (t) => {
  const dir = directory(t)
  const damages: ((file: string) => void)[] = [
    (file) => writeFileSync(file, 'this is no database, whatever its name says'.repeat(100)),
    (file) => {
      const bytes = readFileSync(file)
      bytes.fill(0xff, 4096, Math.min(bytes.length, 40_000))
      writeFileSync(file, bytes)
    },
    (file) => writeFileSync(file, readFileSync(file).subarray(0, 6000)),
  ]
  for (const [i, damage] of damages.entries()) {
    const file = join(dir, `${i}.db`)
    const before = open(t, file)
    for (let n = 0; n < 50; n++) before.versions.publish('x'.repeat(1000), 1)
    await before.close()
    damage(file)
    const damaged = readFileSync(file)
    const warnings: unknown[] = []
    const after = open(t, file, warnings)
    assert.equal(warnings.length, 1)
    assert.deepEqual(after.nodes.list(), [])
    assert.equal(after.versions.publish('{}', 1), 1)
    const aside = readdirSync(dir).find((name) => name.startsWith(`${i}.db.corrupt-1970-01-01T`))
    assert.deepEqual(readFileSync(join(dir, aside ?? '')), damaged)
  }
})

test('an empty file is a new database; one of a newer server is refused and left alone', async (t) => {
  const dir = directory(t)
  writeFileSync(join(dir, 'empty'), '')
  assert.deepEqual(open(t, join(dir, 'empty')).nodes.list(), [])
  const file = join(dir, 'newer')
  await open(t, file).close()
  const db = new Sqlite(file)
  db.pragma(`user_version = ${SCHEMA_VERSION + 1}`)
  db.close()
  assert.throws(() => open(t, file), { code: 'DATABASE_FAILED', message: /newer/ })
  assert.ok(statSync(file).size > 0)
  assert.throws(() => open(t, join(dir, 'no', 'such')), { code: 'DATABASE_FAILED' })
})

/** A program that says something in each line, and is killed when it has said enough. */
async function killed(program: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const said: string[] = []
  for await (const line of createInterface(child.stdout)) {
    said.push(line)
    if (said.length === lines) child.kill('SIGKILL')
  }
  await exited
  assert.equal(child.signalCode, 'SIGKILL')
  return said
}

test('kill -9 while it writes loses nothing that was said to be written', async (t) => {
  const file = join(directory(t), 'db')
  const program = `
    import { openStore } from ${HERE('store.js')}
    const store = openStore({ file: ${JSON.stringify(file)}, nowMs: 0, log: { warn() {} } })
    for (;;) console.log(store.versions.publish('{}', 1))`
  for (const lines of [1, 7, 40]) {
    const said = await killed(program, lines)
    const warnings: unknown[] = []
    const store = open(t, file, warnings)
    assert.ok(Number(said.at(-1)) <= (store.versions.list()[0]?.number ?? 0))
    assert.deepEqual(warnings, [])
    await store.close()
  }
})

test('without a free descriptor for the thread that writes nothing is written, and all once there is one', async (t) => {
  const dir = directory(t)
  const file = join(dir, 'db')
  // A file: what is given to node by `-e` is given to its threads too.
  const program = join(dir, 'program.mjs')
  const text = `
    import { createInterface } from 'node:readline'
    import { openStore } from ${HERE('store.js')}
    const store = openStore({ file: ${JSON.stringify(file)}, nowMs: 0, log: { warn() {} } })
    console.log('open')
    for await (const _ of createInterface(process.stdin)) {
      const written = store.saveTimeline({ forgotten: [], nodes: [], events: [] })
      console.log(await written.then(() => 'written', ({ code }) => code))
    }`
  writeFileSync(program, text)
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const said = async () => (await lines.next()).value
  const write = () => {
    child.stdin.write('\n')
    return said()
  }
  assert.equal(await said(), 'open')
  const pid = child.pid ?? 0
  const [files = ''] = /^Max open files +\S+ +\S+/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? []
  limitProcess(pid, '--nofile=3:')
  assert.notEqual(await write(), 'written')
  limitProcess(pid, `--nofile=${files.split(/ +/).at(-1)}:`)
  // The thread may not have ended yet.
  await until('it is written', async () => ((await write()) === 'written' ? true : undefined))
})

test('one server for one data directory; kill -9 lets go of it', async (t) => {
  const dir = directory(t)
  const lock = lockDataDir(dir)
  assert.throws(() => lockDataDir(dir), { code: 'DATA_DIR_LOCKED' })
  lock.release()
  lock.release()
  const program = `
    import { lockDataDir } from ${HERE('lock.js')}
    const lock = lockDataDir(${JSON.stringify(dir)})
    console.log('locked')
    setInterval(() => lock, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  assert.throws(() => lockDataDir(dir), { code: 'DATA_DIR_LOCKED' })
  child.kill('SIGKILL')
  await exited
  lockDataDir(dir).release()
  assert.throws(() => lockDataDir(join(dir, 'missing')), { code: 'DATA_DIR_UNUSABLE' })
})
