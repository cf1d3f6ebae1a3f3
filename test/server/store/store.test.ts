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
import { SCHEMA_VERSION } from '../../../server/store/schema.js'
import { type ArtifactRecord, openStore, type Store } from '../../../server/store/store.js'
import type { BootEvent } from '../../../src/events.js'
import { EVENTS_PER_NODE_MAX } from '../../../src/limits.js'
import { checkout } from '../../support/scratch.js'

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

test('what was written is there after closing and opening', (t) => {
  const file = join(directory(t), 'db')
  const first = open(t, file)
  first.artifacts.put(RECORD)
  first.versions.publish('{"a":1}', 5)
  first.nodes.update({ id: 'a', nowMs: 5 })
  first.events.append('a', 6, [event(0)])
  first.close()
  const second = open(t, file)
  assert.deepEqual(second.artifacts.find(RECORD.path, RECORD), RECORD)
  assert.deepEqual(second.versions.list(), [{ number: 1, createdMs: 5, content: '{"a":1}' }])
  assert.deepEqual(second.events.ofNode('a'), [{ ...event(0), node: 'a', receivedMs: 6 }])
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

test('version numbers only grow, also when the newest were removed', (t) => {
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
  store.close()
  assert.equal(open(t, file).versions.publish('6', 6), 6)
})

test('a node keeps what an update leaves out', (t) => {
  const { nodes } = open(t, ':memory:')
  nodes.update({
    id: 'b',
    nowMs: 10,
    address: '10.0.0.1',
    rack: 'r',
    state: 'booting',
    version: 3,
    boot: BOOT,
  })
  nodes.update({ id: 'b', nowMs: 20, state: 'booted' })
  nodes.update({ id: 'b', nowMs: 15 })
  const b = {
    id: 'b',
    firstSeenMs: 10,
    lastSeenMs: 20,
    address: '10.0.0.1',
    rack: 'r',
    state: 'booted',
    version: 3,
    boot: BOOT,
  }
  assert.deepEqual(nodes.list(), [b])
  nodes.update({ id: 'b', nowMs: 30, version: null })
  nodes.update({ id: 'a', nowMs: 30 })
  assert.deepEqual(
    nodes.list().map((node) => [node.id, node.state, node.version, node.boot]),
    [
      ['a', 'seen', null, null],
      ['b', 'booted', null, BOOT],
    ],
  )
})

test('events: repeats are left out, the oldest of a node go', (t) => {
  const { nodes, events } = open(t, ':memory:')
  assert.throws(() => events.append('a', 1, [event(0)]), { code: 'DATABASE_FAILED' })
  nodes.update({ id: 'a', nowMs: 1 })
  nodes.update({ id: 'b', nowMs: 1 })
  assert.equal(events.append('a', 1, [event(0), event(1)]).length, 2)
  assert.deepEqual(events.append('a', 2, [event(1), event(2), event(0, 'f'.repeat(16))]), [
    event(2),
    event(0, 'f'.repeat(16)),
  ])
  assert.deepEqual(
    events.ofBoot('a', BOOT).map((one) => one.seq),
    [0, 1, 2],
  )
  events.append('b', 2, [event(0)])
  for (let seq = 3; seq < EVENTS_PER_NODE_MAX + 10; seq += 1) events.append('a', 3, [event(seq)])
  const kept = events.ofNode('a')
  assert.equal(kept.length, EVENTS_PER_NODE_MAX)
  assert.equal(kept.at(-1)?.seq, EVENTS_PER_NODE_MAX + 9)
  assert.equal(events.ofNode('b').length, 1)
  assert.deepEqual(
    events.ofNode('a', 2).map((one) => one.seq),
    [EVENTS_PER_NODE_MAX + 8, EVENTS_PER_NODE_MAX + 9],
  )
})

test('a batch is kept as a whole or not at all', (t) => {
  const { batch, nodes, events, versions } = open(t, ':memory:')
  batch(() => {
    nodes.update({ id: 'a', nowMs: 1 })
    assert.equal(events.append('a', 1, [event(0)]).length, 1)
  })
  const failing = () =>
    batch(() => {
      nodes.update({ id: 'b', nowMs: 2 })
      events.append('a', 2, [event(1)])
      events.append('unknown', 2, [event(2)])
    })
  assert.throws(failing, { code: 'DATABASE_FAILED' })
  assert.deepEqual(
    nodes.list().map((node) => node.id),
    ['a'],
  )
  assert.equal(events.ofNode('a').length, 1)
  assert.throws(() => batch(() => versions.publish('{}', 1)), { code: 'DATABASE_FAILED' })
  assert.equal(versions.publish('{}', 1), 1)
})

test('a database of the second schema is brought up to date with all that it holds', (t) => {
  const file = join(directory(t), 'db')
  const old = new Sqlite(file)
  old.exec(readFileSync(join(checkout, 'test', 'server', 'store', 'schema-2.sql'), 'utf8'))
  old.close()
  const store = open(t, file)
  assert.deepEqual(store.versions.list(), [{ number: 7, createdMs: 5, content: '{"artifacts":[]}' }])
  assert.equal(store.versions.publish('{}', 6), 8)
  assert.deepEqual(
    store.nodes.list().map(({ id, state, version, boot }) => [id, state, version, boot]),
    [['rig1', 'stopped', 7, BOOT]],
  )
  assert.deepEqual(
    store.events.ofNode('rig1').map(({ type, data }) => [type, data]),
    [['boot.completed', event(0).data]],
  )
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
  store.close()
  const now = new Sqlite(file)
  t.after(() => now.close())
  assert.equal(now.pragma('user_version', { simple: true }), SCHEMA_VERSION)
  assert.equal(now.prepare("SELECT name FROM sqlite_master WHERE name = 'counters'").get(), undefined)
})

test('a corrupt file is moved aside with a warning, and a new one made', (t) => {
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
    before.nodes.update({ id: 'a', nowMs: 1 })
    for (let n = 0; n < 50; n++) before.versions.publish('x'.repeat(1000), 1)
    before.close()
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

test('an empty file is a new database; one of a newer server is refused and left alone', (t) => {
  const dir = directory(t)
  writeFileSync(join(dir, 'empty'), '')
  assert.deepEqual(open(t, join(dir, 'empty')).nodes.list(), [])
  const file = join(dir, 'newer')
  open(t, file).close()
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
    store.close()
  }
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
