import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { FastifyReply } from 'fastify'
import { AnswerPace } from '../../../server/http/answer-pace.js'
import { makeClientLimits } from '../../../server/http/client-limits.js'
import { until } from '../catalog/support.js'
import { TurnsWorld } from './link-world.js'
import { ask, HttpBench } from './support.js'

const [node, greedy, honest] = ['127.0.0.2', '127.0.0.3', '127.0.0.4']
const mib = 1024 * 1024

/** What is asked of an answer that is about to be sent. */
function answerTo(remoteAddress: string, statusCode = 200) {
  const raw = Object.assign(new EventEmitter(), {
    closed: false,
    destroyed: false,
    socket: { destroyed: false },
  })
  return { raw, statusCode, request: { socket: { remoteAddress } } } as unknown as FastifyReply & {
    raw: EventEmitter
  }
}

/** Answers in virtual time, beside a node in its turn. */
class World extends TurnsWorld {
  readonly pace = new AnswerPace(this.turns, {
    nowMs: () => this.nowMs,
    after: (ms, run) => this.after(ms, run),
  })
  readonly over = this.turns.goesFirst(node, { movedBytes: () => this.nowMs * 1000, isCrawling: () => false })

  /** How many of so many answers of a size go at once. */
  atOnce(address: string, count: number, bytes: number): number {
    const waits = Array.from({ length: count }, () => this.pace.wait(answerTo(address), bytes))
    return waits.filter((wait) => wait === undefined).length
  }
}

test('500 manifests of one address go at once; who asks without end goes second, and others do not wait for it', () => {
  const world = new World()
  assert.equal(world.atOnce(honest, 500, 6000), 500)
  const went = world.atOnce(greedy, 5000, 6000)
  assert.ok(went > 500 && went < 1000, `${went}`)
  assert.equal(world.atOnce(honest, 100, 6000), 100)
  // A second gives some more.
  world.nowMs += 1000
  assert.ok(world.atOnce(greedy, 100, 6000) > 10)
})

test('what waits is sent with time, also what is larger than a part, and all of it when nobody goes first', async () => {
  const world = new World()
  assert.equal(world.atOnce(greedy, 1, 4 * mib - 300), 1)
  const sent: number[] = []
  const waits = [300_000, 10, 20].map((bytes) =>
    world.pace.wait(answerTo(greedy), bytes)?.then(() => sent.push(bytes)),
  )
  assert.equal(world.turns.waiting, 3)
  world.pass(30_000)
  await Promise.all(waits)
  assert.deepEqual(sent.sort(), [10, 20, 300_000])
  const last = world.pace.wait(answerTo(greedy), 8 * mib)
  world.over()
  world.pass(1000)
  await last
  assert.equal(world.turns.waiting, 0)
})

test('a client that goes while its answer waits leaves nothing', async () => {
  const world = new World()
  assert.equal(world.atOnce(greedy, 1, 4 * mib - 300), 1)
  const answers = Array.from({ length: 100 }, () => answerTo(greedy))
  const waits = answers.map((answer) => world.pace.wait(answer, 200_000))
  for (const { raw } of answers) raw.emit('close')
  await Promise.all(waits)
  assert.equal(world.turns.waiting, 0)
})

test('500 of one address are told at once to come back; who does not wait for it is told late', async () => {
  const world = new World()
  world.over()
  world.pass(2000)
  const refuse = (address: string) => world.pace.wait(answerTo(address, 503), 100)
  const told = Array.from({ length: 1000 }, () => refuse(greedy))
  const late = told.filter((wait) => wait !== undefined)
  assert.ok(late.length >= 500 && late.length < 800, `${late.length}`)
  assert.equal(refuse(honest), undefined)
  let count = 0
  for (const wait of late) void wait.then(() => (count += 1))
  world.pass(900)
  await Promise.resolve()
  assert.equal(count, 0)
  world.pass(200)
  await Promise.all(late)
})

test('a refused client that goes leaves nothing', async () => {
  const world = new World()
  world.over()
  world.pass(2000)
  const timers = world.timers.length
  const answers = Array.from({ length: 400 }, () => answerTo(greedy, 429))
  const waits = answers.map((answer) => world.pace.wait(answer, 100))
  for (const { raw } of answers) raw.emit('close')
  await Promise.all(waits)
  assert.equal(world.timers.length, timers)
})

test('a listener holds answers back', async (t) => {
  const site = new HttpBench(Buffer.alloc(10))
  t.after(() => site.end())
  const made = makeClientLimits({ connectionsMax: 4096, answerBytesMax: 64 * mib })
  // No time passes, so what an address has had stays had.
  const answerPace = new AnswerPace(made.sendTurns, { nowMs: () => 0, after: () => () => {} })
  const { port } = await site.listen(false, { limits: { ...made, answerPace } })
  let movedBytes = 0
  const file = { movedBytes: () => movedBytes++, isCrawling: () => false }
  const over = made.sendTurns.goesFirst(node, file)
  assert.equal(answerPace.wait(answerTo(greedy), 4 * mib - 300), undefined)
  const answers = Array.from({ length: 200 }, () => ask(port, '/v1/torrents/x', { localAddress: greedy }))
  await until('some wait', () => made.sendTurns.waiting > 0)
  assert.equal((await ask(port, '/healthz', { localAddress: honest })).status, 200)
  over()
  for (const { status } of await Promise.all(answers)) assert.equal(status, 404)
  assert.equal(made.sendTurns.waiting, 0)
})
