import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  afterEvent,
  afterManifest,
  afterTime,
  isBooting,
  lostAfterMs,
  type NodeRecord,
  newNode,
} from '../../../server/nodes/state.js'
import type { BootEvent } from '../../../src/events.js'

const boot = '0011223344556677'
const start = newNode('aa', 'rack-1', 'node-aa', '10.0.0.1', 1000)

function event<T extends BootEvent['type']>(
  type: T,
  seq: number,
  data: Extract<BootEvent, { type: T }>['data'],
  id = boot,
) {
  return { boot: id, seq, t_ms: seq * 10, type, data } as unknown as BootEvent
}
const started = (id = boot) => event('boot.started', 0, { agent: '0.1.0', mem_total_bytes: 1 }, id)
const progress = (seq: number, id = boot) =>
  event(
    'progress',
    seq,
    { done_bytes: 5, total_bytes: 10, peers: 2, from_peers_bytes: 4, from_origin_bytes: 1 },
    id,
  )
const completed = (seq: number) =>
  event('boot.completed', seq, { seconds: 2.5, from_peers_bytes: 9, from_origin_bytes: 1, version: 7 })

/** Feeds events a second apart. */
function run(node: NodeRecord, events: readonly BootEvent[], nowMs = 2000): NodeRecord {
  return events.reduce((state, next, n) => afterEvent(state, next, nowMs + n * 1000), node)
}

test('a boot from power-on to login', () => {
  let node = afterManifest(run(start, [started()]), boot, 7, 2500)
  assert.equal(node.state, 'manifest')
  assert.equal(node.version, 7)
  assert.equal(node.agent, '0.1.0')
  node = run(node, [progress(1)])
  assert.equal(node.state, 'downloading')
  assert.equal(node.fromPeersBytes, 4)
  assert.ok(isBooting(node))
  node = run(node, [completed(2)], 9000)
  assert.equal(node.state, 'booted')
  assert.equal(node.bootSeconds, 2.5)
  assert.equal(node.lastSeenMs, 9000)
  assert.ok(!isBooting(node))
})

test('a repeated post and one out of order change nothing but the last word', () => {
  const booted = run(start, [started(), progress(1), completed(2)])
  const again = run(booted, [started(), progress(1), completed(2)], 50_000)
  assert.deepEqual({ ...again, lastSeenMs: 0 }, { ...booted, lastSeenMs: 0 })
  assert.equal(again.lastSeenMs, 52_000)
})

test('a manifest without a boot id is adopted by the first event', () => {
  const node = run(afterManifest(start, '', 3, 2000), [progress(4)])
  assert.equal(node.boot, boot)
  assert.equal(node.version, 3)
  assert.equal(node.state, 'downloading')
})

test('a new boot begins again, late events of the old one do not disturb it', () => {
  const booted = run(start, [started(), progress(1), completed(2)])
  const other = 'ffffffffffffffff'
  const rebooted = run(booted, [started(other)], 60_000)
  assert.equal(rebooted.state, 'seen')
  assert.equal(rebooted.fromPeersBytes, 0)
  assert.equal(rebooted.bootStartedMs, 60_000)
  assert.equal(rebooted.firstSeenMs, 1000)
  assert.equal(run(rebooted, [progress(99)], 61_000).state, 'seen')
  assert.equal(afterManifest(booted, other, 8, 60_000).version, 8)
})

test('asking again in mid-download goes on downloading, unless the version changed', () => {
  const node = run(afterManifest(run(start, [started()]), boot, 7, 2500), [progress(1)])
  assert.equal(afterManifest(node, boot, 7, 5000).state, 'downloading')
  assert.equal(afterManifest(node, boot, 8, 5000).state, 'manifest')
})

test('a failed boot says why until it moves again', () => {
  const failed = run(start, [
    started(),
    event('boot.failed', 1, { code: 'UNPACK_NO_SPACE', message: 'full', retry_in_s: 5 }),
  ])
  assert.equal(failed.state, 'failed')
  assert.equal(failed.failureCode, 'UNPACK_NO_SPACE')
  assert.ok(!isBooting(failed))
  const back = run(failed, [progress(2)])
  assert.equal(back.state, 'downloading')
  assert.equal(back.failureCode, '')
})

test('a seeding node stays booted whatever it reports', () => {
  const booted = run(start, [started(), completed(1)])
  const later = run(booted, [progress(2), event('peer.banned', 3, { addr: '10.0.0.2:1', code: 'X' })])
  assert.equal(later.state, 'booted')
  assert.equal(
    run(later, [event('seeding.ended', 4, { reason: 'signal', uploaded_bytes: 5, given_back_bytes: 9 })])
      .state,
    'booted',
  )
})

test('what a node seeds is known from its events', () => {
  const booted = run(start, [started(), completed(1)])
  assert.equal(booted.seeding, 'whole')
  assert.equal(booted.bootHeardMs, 3000)
  const report = { version: 9, held_bytes: 1, uploaded_bytes: 1, mem_available_bytes: 1 }
  const later = run({ ...booted, seedS: 900 }, [event('seeding', 2, report)], 900_000)
  assert.equal(later.seeding, 'whole')
  assert.equal(later.bootHeardMs, 3000, 'a report is no boot')
  const less = run(later, [event('artifact.dropped', 3, { name: 'x', size_bytes: 1, uploaded_bytes: 0 })])
  assert.equal(less.seeding, 'part')
  assert.equal(run(less, [event('seeding', 4, report)]).seeding, 'part')
  const ended = { reason: 'memory-short', uploaded_bytes: 5, given_back_bytes: 9 }
  assert.equal(run(less, [event('seeding.ended', 4, ended)]).seeding, 'no')
  const again = run(later, [started('ffffffffffffffff')])
  assert.equal(again.seeding, 'no')
  assert.equal(again.seedS, undefined)
  assert.equal(again.bootHeardMs, 3000)
  // A server with a new data directory learns what seeds from its report.
  const unknown = run(start, [event('seeding', 40, report)])
  assert.deepEqual([unknown.state, unknown.seeding, unknown.version], ['booted', 'whole', 9])
})

test('silence in mid-boot is lost, after the boot it is nothing; a word brings it back', () => {
  const node = run(start, [started(), progress(1)])
  assert.equal(afterTime(node, node.lastSeenMs + lostAfterMs - 1).state, 'downloading')
  const lost = afterTime(node, node.lastSeenMs + lostAfterMs)
  assert.equal(lost.state, 'lost')
  assert.equal(run(lost, [progress(2)]).state, 'downloading')
  const booted = run(start, [started(), completed(1)])
  assert.equal(afterTime(booted, 1e12).state, 'booted')
})
