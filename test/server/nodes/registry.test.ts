import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { nodeRecords } from '../../../server/nodes/records.js'
import { NodeRegistry } from '../../../server/nodes/registry.js'
import { openStore, type Store } from '../../../server/store/store.js'
import { type BootEvent, parseEvents } from '../../../src/events.js'

const boot = '0011223344556677'
const describe = (id: string) => ({ rack: 'rack-1', hostname: `host-${id}` })
const open = () => openStore({ file: ':memory:', log: pino({ level: 'silent' }), nowMs: 0 })

function registryOn(store: Store, nowMs: () => number): NodeRegistry {
  const onStoreError = (error: unknown) => assert.fail(String(error))
  const registry = new NodeRegistry({ store: nodeRecords(store, describe), describe, nowMs, onStoreError })
  registry.start()
  return registry
}

const events: BootEvent[] = parseEvents(
  JSON.stringify([
    { boot, seq: 0, t_ms: 1, type: 'boot.started', data: { agent: '0.1.0', mem_total_bytes: 1 } },
    { boot, seq: 1, t_ms: 2, type: 'manifest.verified', data: { version: 4, artifacts: 2 } },
    {
      boot,
      seq: 2,
      t_ms: 3,
      type: 'progress',
      data: { done_bytes: 1, total_bytes: 2, peers: 1, from_peers_bytes: 1, from_origin_bytes: 0 },
    },
  ]),
)

test('knows which version a boot began with, while it lasts', () => {
  const store = open()
  let nowMs = 1000
  const registry = registryOn(store, () => nowMs)
  registry.manifestServed('aa', '10.0.0.1', boot, 4)
  assert.equal(registry.versionOfBoot('aa', boot), 4)
  assert.equal(registry.versionOfBoot('aa', 'ffffffffffffffff'), undefined)
  assert.equal(registry.versionOfBoot('bb', boot), undefined)
  assert.ok(registry.isBootingVersion(4))
  assert.ok(!registry.isBootingVersion(3))
  nowMs += 600_000
  assert.equal(registry.versionOfBoot('aa', boot), undefined)
  assert.ok(!registry.isBootingVersion(4))
  assert.equal(registry.countByState().lost, 1)
  registry.stop()
  store.close()
})

test('what it knew outlasts the process, and the events are there once', () => {
  const store = open()
  const first = registryOn(store, () => 1000)
  first.manifestServed('aa', '10.0.0.1', boot, 4)
  const heard: string[] = []
  first.onEvent((_node, event) => heard.push(event.type))
  first.eventsReceived('aa', '10.0.0.1', events)
  first.eventsReceived('aa', '10.0.0.1', events)
  assert.deepEqual(heard, ['boot.started', 'manifest.verified', 'progress'])
  const before = first.get('aa')
  first.stop()
  assert.equal(store.events.ofNode('aa').length, 3)
  const second = registryOn(store, () => 1000)
  assert.deepEqual(second.get('aa'), before)
  assert.equal(second.versionOfBoot('aa', boot), 4)
  second.stop()
  store.close()
})

test('reports of seeds are not stored, but what is known from them is', () => {
  const store = open()
  let nowMs = 1000
  const registry = registryOn(store, () => nowMs)
  registry.eventsReceived('aa', '10.0.0.1', events)
  const data = { version: 4, held_bytes: 1, uploaded_bytes: 2, mem_available_bytes: 3 }
  nowMs = 900_000
  registry.eventsReceived('aa', '10.0.0.1', [{ boot, seq: 3, t_ms: 9, type: 'seeding', data }])
  registry.seedTold('aa', 900)
  assert.equal(registry.get('aa')?.seeding, 'whole')
  assert.equal(registry.get('aa')?.seedS, 900)
  registry.stop()
  assert.equal(store.events.ofNode('aa').length, 3)
  assert.equal(store.nodes.list()[0]?.lastSeenMs, 900_000)
  store.close()
})

test('500 nodes that report at once are one transaction', () => {
  const store = open()
  let transactions = 0
  const batch = (run: () => void) => {
    transactions += 1
    store.batch(run)
  }
  const counted: Store = { ...store, batch }
  const registry = registryOn(counted, () => 1000)
  for (let n = 0; n < 500; n += 1) {
    registry.manifestServed(`node-${n}`, '10.0.0.1', boot, 4)
    registry.eventsReceived(`node-${n}`, '10.0.0.1', events)
  }
  registry.flush()
  registry.stop()
  assert.equal(transactions, 1)
  assert.equal(store.nodes.list().length, 500)
  assert.equal(registry.countByState().downloading, 500)
  store.close()
})

test('a store that fails loses nothing that is written later', () => {
  const store = open()
  let broken = true
  let errors = 0
  const records = nodeRecords(store, describe)
  const registry = new NodeRegistry({
    store: {
      ...records,
      saveNodes: (nodes, list) => {
        if (broken) throw new Error('disk full')
        records.saveNodes(nodes, list)
      },
    },
    describe,
    nowMs: () => 1000,
    onStoreError: () => {
      errors += 1
    },
  })
  registry.start()
  registry.eventsReceived('aa', '10.0.0.1', events)
  registry.flush()
  assert.equal(errors, 1)
  broken = false
  registry.stop()
  assert.equal(store.events.ofNode('aa').length, 3)
  store.close()
})

test('tells who is at an address, also after nodes have moved and after a restart', () => {
  const store = open()
  const registry = registryOn(store, () => 1000)
  registry.manifestServed('aa', '10.0.0.1', boot, 4)
  registry.manifestServed('bb', '10.0.0.2', boot, 4)
  registry.manifestServed('bb', '10.0.0.1', boot, 4)
  assert.equal(registry.idAt('10.0.0.1'), 'bb')
  assert.equal(registry.idAt('10.0.0.2'), undefined)
  registry.manifestServed('aa', '10.0.0.3', boot, 4)
  assert.equal(registry.idAt('10.0.0.1'), 'bb', 'who left an address does not take it from who came')
  registry.stop()
  assert.equal(registryOn(store, () => 2000).idAt('10.0.0.3'), 'aa')
  store.close()
})

test('a node that falls silent in mid-boot is told once, as it stood', () => {
  const store = open()
  let nowMs = 1000
  const lost: string[] = []
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    describe,
    nowMs: () => nowMs,
    onStoreError: assert.ifError,
    onLost: (node) => lost.push(`${node.id} ${node.state} ${node.version}`),
  })
  registry.manifestServed('aa', '10.0.0.1', boot, 4)
  nowMs += 119_999
  registry.findLost()
  assert.deepEqual(lost, [])
  nowMs += 1
  registry.findLost()
  registry.findLost()
  assert.deepEqual(lost, ['aa manifest 4'])
  assert.equal(registry.countByState().lost, 1)
  // It comes back, and may be lost again.
  registry.manifestServed('aa', '10.0.0.1', boot, 5)
  nowMs += 120_000
  registry.findLost()
  assert.deepEqual(lost, ['aa manifest 4', 'aa manifest 5'])
  registry.stop()
  store.close()
})
