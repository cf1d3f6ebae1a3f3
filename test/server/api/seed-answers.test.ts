import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import { SeedAnswers } from '../../../server/api/seed-answers.js'
import type { CatalogKind } from '../../../server/catalog/names.js'
import { type CatalogArtifact, LiveVersions } from '../../../server/catalog/versions.js'
import { nodeRecords } from '../../../server/nodes/records.js'
import { NodeRegistry } from '../../../server/nodes/registry.js'
import { openStore } from '../../../server/store/store.js'
import type { BootEvent } from '../../../src/events.js'
import { noFailures } from '../../support/failures.js'
import { timelineOn } from '../../support/timeline.js'

const boot = '0011223344556677'

function artifact(infohash: string, kind: CatalogKind = 'plugin'): CatalogArtifact {
  const torrent = { infohash, pieceLengthBytes: 16_384, piecesBase64: '' }
  return { kind, name: infohash, sizeBytes: 1, sha256: infohash, format: 'tar', modifiedS: 1, torrent }
}

/** A site with two versions; nodes stand in the rack that their address begins with. */
function site(t: TestContext, rules = { calmS: 900, keepPerRack: 1, keepMin: 2 }) {
  const clock = { ms: 1_000_000 }
  const lines: string[] = []
  const store = openStore({ file: ':memory:', log: pino({ level: 'silent' }), nowMs: 0 })
  const describe = (id: string, address: string) => ({ rack: address.slice(0, 6), hostname: id })
  const nowMs = () => clock.ms
  const registry = new NodeRegistry({
    store: nodeRecords(store, describe),
    timeline: timelineOn(store, nowMs),
    describe,
    nowMs,
    failures: noFailures(),
  })
  registry.start()
  t.after(async () => {
    await registry.stop()
    await store.close()
  })
  const versions = [
    { version: 1, createdMs: 1, supersededMs: 2, artifacts: [artifact('x', 'rootfs'), artifact('old')] },
    {
      version: 2,
      createdMs: 2,
      artifacts: [artifact('x', 'rootfs'), artifact('gpu', 'rootfs'), artifact('new')],
    },
  ]
  const queue = { arriving: 0 }
  const answers = new SeedAnswers({
    rules,
    registry,
    catalog: { live: new LiveVersions(versions) },
    choiceOf: ({ id }) => ({ rootfs: id.startsWith('10.9.') ? 'gpu' : undefined, plugins: [] }),
    arriving: () => queue.arriving,
    nowMs,
    log: { info: (_facts: object, line: string) => lines.push(line) } as never,
  })
  let seq = 0
  const post = (id: string, type: string, data: object) => {
    seq += 1
    void registry.eventsReceived(id, id, [{ boot, seq, t_ms: 1, type, data } as unknown as BootEvent])
    return answers.seedS(id)
  }
  const completed = (id: string, version = 2) => {
    registry.manifestServed(id, id, boot, version)
    return post(id, 'boot.completed', { seconds: 1, from_peers_bytes: 1, from_origin_bytes: 1, version })
  }
  const report = (id: string, version = 2) =>
    post(id, 'seeding', { version, held_bytes: 1, uploaded_bytes: 1, mem_available_bytes: 1 })
  return { clock, lines, registry, answers, queue, post, completed, report }
}

test('a storm from its first node to the last that is told to end', (t) => {
  const { clock, lines, registry, answers, queue, post, completed, report } = site(t)
  const nodes = ['10.0.1.1', '10.0.1.2', '10.0.1.3', '10.0.2.1', '10.0.2.2']
  registry.manifestServed('10.0.1.1', '10.0.1.1', boot, 2)
  assert.equal(answers.seedS('10.0.1.1'), undefined, 'who boots seeds nothing')
  assert.equal(answers.seedS('unknown'), undefined)
  for (const node of nodes) completed(node)
  clock.ms += 300_000
  assert.equal(report('10.0.1.1'), 600)
  clock.ms += 599_000
  assert.equal(report('10.0.1.1'), 30)
  assert.ok(!answers.isCalm())
  clock.ms += 1000
  queue.arriving = 2
  assert.equal(report('10.0.1.1'), 900, 'others load stage 1')
  queue.arriving = 0
  clock.ms += 1000
  assert.ok(answers.isCalm())
  assert.deepEqual(lines, [])
  assert.deepEqual(
    nodes.map((node) => report(node)),
    [0, 0, 1800, 0, 1800],
  )
  assert.deepEqual(answers.stats(), { nodes: 2, calmInS: 0 })
  assert.equal(lines.length, 1, 'said once')
  // Who did not hear it is told again; who has ended is not asked any more.
  assert.equal(report('10.0.1.1'), 0)
  const ended = { reason: 'storm-over', uploaded_bytes: 1, given_back_bytes: 1 }
  assert.equal(post('10.0.1.1', 'seeding.ended', ended), undefined)
  // One of those that were kept falls silent: nobody else goes.
  clock.ms += 2_400_000
  assert.equal(report('10.0.1.3'), 1800)
  assert.equal(answers.stats().nodes, 1)
  assert.equal(completed('10.0.1.9'), 1800)
})

test('copies that only an old version had keep nobody, shared ones do', (t) => {
  const { clock, completed, report } = site(t)
  for (const node of ['10.0.1.1', '10.0.1.2']) completed(node, 1)
  completed('10.0.1.3', 2)
  clock.ms += 2_000_000
  for (const node of ['10.0.1.2', '10.0.1.3']) report(node, node === '10.0.1.2' ? 1 : 2)
  assert.equal(report('10.0.1.1', 1), 0, 'x is with two others')
  assert.equal(report('10.0.1.2', 1), 1800)
  assert.equal(report('10.0.1.4', 77), 0, 'a version that nobody remembers')
})

test('never, where the configuration says so', (t) => {
  const { clock, answers, completed, report } = site(t, { calmS: 0, keepPerRack: 0, keepMin: 0 })
  for (const node of ['10.0.1.1', '10.0.1.2', '10.0.1.3']) assert.equal(completed(node), 1800)
  assert.ok(!answers.isCalm())
  clock.ms += 1e9
  assert.ok(answers.isCalm())
  assert.equal(report('10.0.1.1'), 1800)
  assert.equal(answers.stats().calmInS, null)
})

test('nodes with a root file system of their own do not count as seeds of the others’', (t) => {
  const { clock, completed, report } = site(t, { calmS: 900, keepPerRack: 0, keepMin: 1 })
  for (const node of ['10.0.1.1', '10.0.1.2', '10.9.1.1', '10.9.1.2']) completed(node)
  clock.ms += 1_000_000
  // The first of each kind is the last one of its kind that has said that it seeds.
  assert.deepEqual(
    ['10.0.1.1', '10.0.1.2'].map((node) => report(node)),
    [0, 1800],
  )
  assert.deepEqual(
    ['10.9.1.1', '10.9.1.2'].map((node) => report(node)),
    [0, 1800],
  )
})
