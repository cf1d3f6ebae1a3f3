import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { nodeRecords } from '../../../server/nodes/records.js'
import { NodeRegistry } from '../../../server/nodes/registry.js'
import { openStore, type Store } from '../../../server/store/store.js'
import { type AgentEvent, parseEvents } from '../../../src/events.js'
import { NODES_PER_ADDRESS_MAX } from '../../../src/limits.js'
import { noFailures, toldFailures } from '../../support/failures.js'
import { timelineOn } from '../../support/timeline.js'

const boot = '0011223344556677'
const describe = (id: string) => ({ rack: 'rack-1', hostname: `host-${id}` })
const open = () => openStore({ file: ':memory:', log: pino({ level: 'silent' }), nowMs: 0 })

function registryOn(store: Store, nowMs: () => number): NodeRegistry {
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    timeline: timelineOn(store, nowMs),
    describe,
    nowMs,
    failures: noFailures(),
  })
  registry.start()
  return registry
}

const events: AgentEvent[] = parseEvents(
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

test('knows which version a boot began with, while it lasts', async () => {
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
  await registry.stop()
  await store.close()
})

test('what it knew outlasts the process, and the events are there once', async () => {
  const store = open()
  const first = registryOn(store, () => 1000)
  first.manifestServed('aa', '10.0.0.1', boot, 4)
  const heard: string[] = []
  first.onEvent((_node, event) => heard.push(event.type))
  await first.eventsReceived('aa', '10.0.0.1', events)
  await first.eventsReceived('aa', '10.0.0.1', events)
  assert.deepEqual(heard, ['boot.started', 'manifest.verified', 'progress'])
  const before = first.get('aa')
  await first.stop()
  assert.equal(store.timeline.reports('aa', boot).length, 3)
  const second = registryOn(store, () => 1000)
  assert.deepEqual(second.get('aa'), before)
  assert.equal(second.versionOfBoot('aa', boot), 4)
  await second.stop()
  await store.close()
})

test('reports of seeds are not stored, but what is known from them is', async () => {
  const store = open()
  let nowMs = 1000
  const registry = registryOn(store, () => nowMs)
  await registry.eventsReceived('aa', '10.0.0.1', events)
  const data = { version: 4, held_bytes: 1, uploaded_bytes: 2, mem_available_bytes: 3 }
  nowMs = 900_000
  await registry.eventsReceived('aa', '10.0.0.1', [{ boot, seq: 3, t_ms: 9, type: 'seeding', data }])
  registry.seedTold('aa', 900)
  assert.equal(registry.get('aa')?.seeding, 'whole')
  assert.equal(registry.get('aa')?.seedS, 900)
  await registry.stop()
  assert.equal(store.timeline.reports('aa', boot).length, 3)
  assert.equal(store.nodes.list()[0]?.lastSeenMs, 900_000)
  await store.close()
})

test('500 nodes that report at once are a few transactions, and each is told when its own is done', async () => {
  const store = open()
  let transactions = 0
  const counted: Store = {
    ...store,
    saveTimeline: (batch) => {
      transactions += 1
      return store.saveTimeline(batch)
    },
  }
  const registry = registryOn(counted, () => 1000)
  const saved = Array.from({ length: 500 }, async (_, n) => {
    registry.manifestServed(`node-${n}`, '10.0.0.1', boot, 4)
    await registry.eventsReceived(`node-${n}`, '10.0.0.1', events)
    assert.equal(store.timeline.reports(`node-${n}`, boot).length, 3)
  })
  await Promise.all(saved)
  assert.ok(transactions <= 3, `${transactions}`)
  await registry.stop()
  assert.equal(store.nodes.list().length, 500)
  assert.equal(registry.countByState().downloading, 500)
  await store.close()
})

test('a store that fails: reports are refused, said once, and nothing that was taken is lost', async () => {
  const store = open()
  let broken = true
  const { failures, said } = toldFailures()
  const saveTimeline: Store['saveTimeline'] = async (batch) => {
    if (broken) throw new Error('disk full')
    await store.saveTimeline(batch)
  }
  const nowMs = () => 1000
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    timeline: timelineOn({ saveTimeline }, nowMs, failures),
    describe,
    nowMs,
    failures,
  })
  registry.start()
  const refusal = { code: 'REPORTS_NOT_SAVED', retryAfterS: 1 }
  await assert.rejects(registry.eventsReceived('aa', '10.0.0.1', events), refusal)
  await assert.rejects(registry.eventsReceived('aa', '10.0.0.1', events), refusal)
  await assert.rejects(registry.eventsReceived('bb', '10.0.0.2', events), refusal)
  assert.equal(registry.get('bb'), undefined, 'nothing more is taken in')
  assert.equal(registry.reportStats().waiting, 3)
  assert.deepEqual(said, ['saving reports of nodes failed, trying again: disk full'])
  broken = false
  // A manifest is served meanwhile, and it is written with the rest.
  registry.manifestServed('cc', '10.0.0.3', boot, 4)
  const recovered = async (): Promise<void> => {
    try {
      await registry.eventsReceived('aa', '10.0.0.1', events)
    } catch {
      await setTimeout(10)
      await recovered()
    }
  }
  await recovered()
  assert.equal(store.timeline.reports('aa', boot).length, 3)
  assert.equal(said[1], 'saving reports of nodes works again')
  assert.ok(registry.reportStats().refused >= 3)
  await registry.stop()
  assert.deepEqual(
    store.nodes.list().map(({ id }) => id),
    ['aa', 'cc'],
  )
  await store.close()
})

test('what a listener throws is named and ends nothing', async () => {
  const store = open()
  const { failures, said } = toldFailures()
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    timeline: timelineOn(store),
    describe,
    nowMs: () => 1000,
    failures,
  })
  registry.start()
  const heard: string[] = []
  registry.onEvent(() => {
    throw new Error('a bug')
  })
  registry.onEvent((_node, event) => heard.push(event.type))
  await registry.eventsReceived('aa', '10.0.0.1', events.slice(0, 1))
  assert.deepEqual(said, ['telling what nodes report failed, trying again: a bug'])
  assert.deepEqual(heard, ['boot.started'])
  await registry.stop()
  await store.close()
})

test('invented names come and go, in memory and in the database, and known nodes stay', async () => {
  const store = open()
  let nowMs = 1000
  const registry = registryOn(store, () => nowMs)
  const completed = parseEvents(
    JSON.stringify([
      {
        ...{ boot, seq: 3, t_ms: 4, type: 'boot.completed' },
        data: { seconds: 1, from_peers_bytes: 1, from_origin_bytes: 1, version: 4 },
      },
    ]),
  )
  await registry.eventsReceived('farm-1', '10.0.0.1', completed)
  for (let n = 0; n < 3 * NODES_PER_ADDRESS_MAX; n += 1) {
    nowMs += 1
    registry.manifestServed(`invented-${n}`, '10.0.0.9', boot, 4)
    if (n % 500 === 0) await registry.eventsReceived('farm-1', '10.0.0.1', [])
  }
  assert.equal(registry.list().length, 1 + NODES_PER_ADDRESS_MAX)
  assert.equal(registry.get('farm-1')?.state, 'booted')
  await registry.stop()
  assert.equal(store.nodes.list().length, 1 + NODES_PER_ADDRESS_MAX)
  const next = registryOn(store, () => nowMs)
  assert.ok(next.isKnownAt('farm-1', '10.0.0.1'))
  assert.equal(next.list().length, 1 + NODES_PER_ADDRESS_MAX)
  await next.stop()
  await store.close()
})

test('remembers what a machine is: in later boots, after a restart, and until the node is forgotten', async () => {
  const store = open()
  const registry = registryOn(store, () => 1000)
  const inventoryOf = (serial: string, more: object = {}) => ({
    ...{ boot, seq: 1, t_ms: 5, type: 'machine.inventory' },
    data: { serial, pci: [{ class: '0300', id: '10de:2684', count: 8 }], nics: [], disks: [] },
    ...more,
  })
  const reported = (...some: object[]) =>
    registry.eventsReceived('aa', '10.0.0.1', parseEvents(JSON.stringify(some)))
  await registry.eventsReceived('aa', '10.0.0.1', events.slice(0, 1))
  assert.equal(registry.get('aa')?.machine, undefined)
  await reported(inventoryOf('S1'))
  assert.deepEqual(registry.get('aa')?.machine, { dmi: { serial: 'S1' }, pci: ['10de:2684'], macs: [] })
  assert.deepEqual(store.nodes.inventory('aa'), inventoryOf('S1').data)
  await reported(inventoryOf('S2'))
  assert.equal(registry.get('aa')?.machine?.dmi.serial, 'S1', 'the same event again')
  const next = '8899aabbccddeeff'
  const begun = {
    boot: next,
    seq: 0,
    t_ms: 1,
    type: 'boot.started',
    data: { agent: '1', mem_total_bytes: 1 },
  }
  await reported(begun)
  assert.equal(registry.get('aa')?.machine?.dmi.serial, 'S1', 'of the boot before')
  await reported(inventoryOf('S3', { boot: next }))
  await registry.stop()

  const restarted = registryOn(store, () => 2000)
  assert.equal(restarted.get('aa')?.machine?.dmi.serial, 'S3')
  const third = { ...begun, boot: '1122334455667788' }
  await restarted.eventsReceived('aa', '10.0.0.1', parseEvents(JSON.stringify([third])))
  await restarted.stop()
  // The events of the newest boot, from which the state is made again, do not have it.
  const again = registryOn(store, () => 3000)
  assert.equal(again.get('aa')?.machine?.dmi.serial, 'S3')
  await again.forget('aa')
  assert.equal(store.nodes.inventory('aa'), undefined)
  await again.stop()
  await store.close()
})

test('tells which nodes it forgets, for an operator or for others that come', async () => {
  const store = open()
  const registry = registryOn(store, () => 1000)
  const forgotten: string[] = []
  registry.onForgotten((id) => forgotten.push(id))
  for (let n = 0; n <= NODES_PER_ADDRESS_MAX; n += 1) registry.manifestServed(`n${n}`, '10.0.0.1', boot, 4)
  assert.deepEqual(forgotten, ['n0'])
  await registry.forget('n7')
  assert.deepEqual(forgotten, ['n0', 'n7'])
  await registry.stop()
  await store.close()
})

test('tells who is at an address, also after nodes have moved and after a restart', async () => {
  const store = open()
  const registry = registryOn(store, () => 1000)
  registry.manifestServed('aa', '10.0.0.1', boot, 4)
  registry.manifestServed('bb', '10.0.0.2', boot, 4)
  registry.manifestServed('bb', '10.0.0.1', boot, 4)
  assert.equal(registry.idAt('10.0.0.1'), 'bb')
  assert.equal(registry.idAt('10.0.0.2'), undefined)
  registry.manifestServed('aa', '10.0.0.3', boot, 4)
  assert.equal(registry.idAt('10.0.0.1'), 'bb', 'who left an address does not take it from who came')
  await registry.stop()
  const next = registryOn(store, () => 2000)
  assert.equal(next.idAt('10.0.0.3'), 'aa')
  await next.stop()
  await store.close()
})

test('a node that falls silent in mid-boot is told once, as it stood', async () => {
  const store = open()
  let nowMs = 1000
  const lost: string[] = []
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    timeline: timelineOn(store, () => nowMs),
    describe,
    nowMs: () => nowMs,
    failures: noFailures(),
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
  await registry.stop()
  await store.close()
})

test('the largest rack is told by nodes that have booted, not by invented ones', async () => {
  const store = open()
  const rackOf = (id: string) => ({ rack: id.slice(0, 1), hostname: id })
  const registry = new NodeRegistry({
    store: nodeRecords(store, rackOf),
    timeline: timelineOn(store, () => 1000),
    describe: rackOf,
    nowMs: () => 1000,
    failures: noFailures(),
  })
  registry.start()
  assert.equal(registry.largestRack(), undefined)
  const data = { seconds: 1, from_peers_bytes: 1, from_origin_bytes: 0, version: 4 }
  const completed = parseEvents(JSON.stringify([{ boot, seq: 0, t_ms: 1, type: 'boot.completed', data }]))
  for (const [at, id] of ['a1', 'b1', 'b2'].entries())
    await registry.eventsReceived(id, `10.0.0.${at}`, completed)
  for (let n = 0; n < 9; n++) registry.manifestServed(`c${n}`, `10.0.1.${n}`, boot, 4)
  assert.deepEqual(registry.largestRack(), { name: 'b', nodes: 2 })
  await registry.stop()
  await store.close()
})
