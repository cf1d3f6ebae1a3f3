import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { NewTimelineEvent } from '../../../server/store/store.js'
import type { Taken } from '../../../server/timeline/write-queue.js'
import { TimelineWriter } from '../../../server/timeline/writer.js'
import { FACTS_WAITING_BYTES_MAX } from '../../../src/limits.js'
import { toldFailures } from '../../support/failures.js'

const event = (node: string, seq: number, data = '{}'): NewTimelineEvent => ({
  ...{ node, timeMs: 1, boot: '0011223344556677', seq, senderMs: seq, type: 'seeding.ended', data },
  ...{ source: 'agent', mac: null, before: null },
})
const fact = (n: number, data = '{}'): NewTimelineEvent => ({
  ...event('a', n, data),
  ...{ source: 'dhcp', type: 'dhcp.seen', seq: null, senderMs: null },
})

/** A writer on a clock of its own, whose transactions end when the test says so. */
function place(stored: readonly string[] = []) {
  let nowMs = 0
  let timers: { atMs: number; run: () => void }[] = []
  const saves: { taken: Taken; end(error?: Error): void }[] = []
  const { failures, said } = toldFailures()
  const gone = new Set<string>()
  const writer = new TimelineWriter({
    save: (taken) =>
      new Promise((resolve, reject) => {
        saves.push({ taken, end: (error) => (error === undefined ? resolve() : reject(error)) })
      }),
    isRemembered: (id) => !gone.has(id),
    stored,
    after: (ms, run) => {
      const timer = { atMs: nowMs + ms, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    failures,
  })
  /** Time goes by; what is due runs, and what follows from it. */
  const pass = async (ms: number) => {
    nowMs += ms
    const due = timers.filter(({ atMs }) => atMs <= nowMs)
    timers = timers.filter(({ atMs }) => atMs > nowMs)
    for (const { run } of due) run()
    await setImmediate()
  }
  const end = async (error?: Error) => {
    saves.at(-1)?.end(error)
    await setImmediate()
  }
  /** What has become of a promise. */
  const follow = (promise: Promise<void>) => {
    const state = { is: 'waiting' }
    promise.then(
      () => {
        state.is = 'written'
      },
      (error: { code: string }) => {
        state.is = error.code
      },
    )
    return state
  }
  return { writer, saves, said, gone, pass, end, follow }
}

test('what comes while a transaction runs is written in the next one, and each is told when its own is done', async () => {
  const { writer, saves, pass, end, follow } = place()
  writer.node('a')
  writer.report(event('a', 0))
  const first = follow(writer.written())
  await pass(5)
  assert.deepEqual(saves[0]?.taken, { forgotten: [], nodes: ['a'], events: [event('a', 0)] })
  for (const id of ['b', 'c']) {
    writer.node(id)
    writer.report(event(id, 0))
  }
  writer.node('a')
  const second = follow(writer.written())
  // A repeated post brings nothing new, but what it repeats is not written yet.
  const again = follow(writer.written())
  await pass(1000)
  assert.equal(saves.length, 1, 'one at a time')
  assert.equal(first.is, 'waiting')
  await end()
  assert.deepEqual([first.is, second.is, again.is], ['written', 'waiting', 'waiting'])
  await pass(5)
  assert.deepEqual(saves[1]?.taken.nodes, ['b', 'c', 'a'])
  await end()
  assert.deepEqual([second.is, again.is], ['written', 'written'])
  assert.equal(follow(writer.written()).is, 'waiting')
  await pass(1000)
  assert.equal(saves.length, 2, 'nothing is left')
})

test('while the database fails reports are refused, and what was taken is tried again, later each time', async () => {
  const { writer, saves, said, pass, end, follow } = place()
  writer.node('a')
  writer.report(event('a', 0))
  const first = follow(writer.written())
  await pass(5)
  await end(new Error('database or disk is full'))
  assert.equal(first.is, 'REPORTS_NOT_SAVED')
  assert.throws(() => writer.check(), { code: 'REPORTS_NOT_SAVED', retryAfterS: 1 })
  for (const [ms, retryAfterS] of [
    [500, 1],
    [1000, 2],
    [2000, 4],
    [4000, 8],
    [8000, 15],
    [15_000, 15],
    [15_000, 15],
  ] as const) {
    const before = saves.length
    await pass(ms - 1)
    assert.equal(saves.length, before)
    // States change meanwhile: rows, not events.
    writer.node('b')
    await pass(1)
    assert.equal(saves.length, before + 1)
    await end(new Error('database or disk is full'))
    assert.throws(() => writer.check(), { retryAfterS })
  }
  assert.deepEqual(writer.stats(), { waiting: 1, refused: 9 })
  await pass(15_000)
  assert.deepEqual(saves.at(-1)?.taken, { forgotten: [], nodes: ['a', 'b'], events: [event('a', 0)] })
  await end()
  writer.check()
  assert.deepEqual(said, [
    'saving reports of nodes failed, trying again: database or disk is full',
    'saving reports of nodes works again',
  ])
  assert.deepEqual(writer.stats(), { waiting: 0, refused: 9 })
})

test('a disk that stands still is one that fails, until it moves again', async () => {
  const { writer, said, pass, end, follow } = place()
  writer.report(event('a', 0))
  const first = follow(writer.written())
  await pass(5)
  await pass(9999)
  assert.equal(first.is, 'waiting')
  await pass(1)
  assert.equal(first.is, 'REPORTS_NOT_SAVED')
  assert.throws(() => writer.check(), { code: 'REPORTS_NOT_SAVED' })
  await end()
  writer.check()
  assert.equal(said.length, 2)
})

test('what waits is bounded in bytes', async () => {
  const { writer, pass, end } = place()
  const data = JSON.stringify({ text: 'x'.repeat(64 * 1024) })
  let taken = 0
  const fill = () => {
    for (; taken < 1000; taken += 1) {
      writer.check()
      writer.report(event('a', taken, data))
    }
  }
  await pass(5)
  assert.throws(fill, { code: 'REPORTS_NOT_SAVED', retryAfterS: 1 })
  assert.ok(taken > 100 && taken < 140, `${taken}`)
  await pass(5)
  await end()
  writer.check()
})

test('facts wait for a report, or a moment, and stay in the order in which all came', async () => {
  const { writer, saves, pass, end, follow } = place()
  writer.fact(fact(0))
  await pass(249)
  assert.equal(saves.length, 0)
  await pass(1)
  assert.deepEqual(saves[0]?.taken.events, [fact(0)])
  writer.fact(fact(1))
  await end()
  await pass(100)
  assert.equal(saves.length, 1, 'nobody waits for it')
  writer.report(event('a', 0))
  writer.fact(fact(2))
  const told = follow(writer.written())
  await pass(5)
  assert.deepEqual(saves[1]?.taken.events, [fact(1), event('a', 0), fact(2)])
  await end()
  assert.equal(told.is, 'written')
  await pass(1000)
  assert.equal(saves.length, 2)
})

test('facts that wait are bounded in bytes, and take no room from reports', async () => {
  const { writer, pass, end, saves } = place()
  const data = JSON.stringify({ text: 'x'.repeat(1000) })
  writer.fact(fact(0, data))
  await pass(250)
  await end(new Error('database or disk is full'))
  let kept = 1
  while (kept < 10_000 && writer.fact(fact(kept, data))) kept += 1
  assert.equal(kept, Math.ceil(FACTS_WAITING_BYTES_MAX / (data.length + 200)))
  assert.equal(writer.stats().waiting, 0)
  await pass(500)
  await end()
  writer.check()
  assert.equal(saves[1]?.taken.events.length, Math.min(kept, 2048))
})

test('a node that is forgotten is written as such if it has a row, and not at all otherwise', async () => {
  const { writer, saves, gone, pass, end } = place(['old'])
  writer.node('invented')
  writer.forget('invented')
  writer.node('old')
  writer.forget('old')
  writer.forget('never written')
  await pass(5)
  assert.deepEqual(saves[0]?.taken, { forgotten: ['old'], nodes: [], events: [] })
  writer.node('a')
  await end(new Error('full'))
  gone.add('a')
  writer.forget('a')
  await pass(500)
  assert.deepEqual(saves[1]?.taken, { forgotten: ['old'], nodes: [], events: [] })
  await end()
  await pass(5)
  assert.equal(saves.length, 2)
})

test('a node that is forgotten while its row is being written loses it again', async () => {
  const { writer, saves, gone, pass, end } = place()
  writer.node('invented')
  await pass(5)
  gone.add('invented')
  writer.forget('invented')
  await end()
  await pass(5)
  assert.deepEqual(saves[1]?.taken, { forgotten: ['invented'], nodes: [], events: [] })
})

test('the end writes the rest, in as many transactions as it takes, and schedules nothing more', async () => {
  const { writer, saves, pass } = place()
  for (let seq = 0; seq < 5000; seq += 1) writer.report(event('a', seq))
  const stopped = writer.stop()
  for (let n = 0; n < 3; n += 1) {
    await setImmediate()
    saves[n]?.end()
  }
  await stopped
  assert.deepEqual(
    saves.map(({ taken }) => taken.events.length),
    [2048, 2048, 904],
  )
  writer.node('late')
  await pass(60_000)
  assert.equal(saves.length, 3)
})

test('the end does not wait for a database that fails', async () => {
  const { writer, saves, pass, end } = place()
  writer.report(event('a', 0))
  await pass(5)
  await end(new Error('full'))
  await writer.stop()
  assert.equal(saves.length, 1)
})
