import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { RequestTurns } from '../../../server/http/request-turns.js'
import { hangMs } from '../../support/limits.js'
import { untilEqual } from '../../support/processes.js'
import { HttpBench, rest } from './support.js'

/** Requests that take a millisecond each, and a loop that is turned by hand. */
function make() {
  let nowMs = 0
  const later: (() => void)[] = []
  const turns = new RequestTurns({ nowMs: () => nowMs, later: (run) => later.push(run) })
  const ran: string[] = []
  return {
    ran,
    ask: (address: string, name: string) =>
      turns.take(address, () => {
        nowMs += 1
        ran.push(name)
      }),
    /** One look at the sockets, and what it was put off for. */
    loop: () => {
      const due = later.splice(0)
      for (const run of due) run()
      return due.length
    },
  }
}

test('what there is time for runs at once', () => {
  const { ran, ask, loop } = make()
  ask('10.0.0.1', 'a')
  ask('10.0.0.1', 'b')
  assert.deepEqual(ran, ['a', 'b'])
  assert.equal(loop(), 1)
  ask('10.0.0.1', 'c')
  assert.deepEqual(ran, ['a', 'b', 'c'])
})

test('what there is no time for waits, and each address has its turn', () => {
  const { ran, ask, loop } = make()
  for (let n = 0; n < 100; n += 1) ask('10.0.0.1', `greedy ${n}`)
  ask('10.0.0.2', 'one')
  ask('fd00::1', 'two')
  // A host of its own, in the same /64.
  ask('fd00::2', 'three')
  assert.deepEqual(ran.splice(0), ['greedy 0', 'greedy 1'])
  loop()
  assert.deepEqual(ran.splice(0), ['greedy 2', 'one'])
  loop()
  assert.deepEqual(ran.splice(0), ['two', 'greedy 3'])
  ask('10.0.0.3', 'four')
  loop()
  assert.deepEqual(ran.splice(0), ['three', 'greedy 4'])
  loop()
  assert.deepEqual(ran.splice(0), ['four', 'greedy 5'])
  let rounds = 0
  while (loop() > 0) rounds += 1
  assert.equal(ran.at(-1), 'greedy 99')
  assert.equal(ran.length, 94)
  assert.ok(rounds >= 47)
})

test('what requests cost after they were parsed counts too', { timeout: hangMs }, async (t) => {
  const site = new HttpBench(Buffer.from('content'))
  t.after(() => site.end())
  let looks = 0
  let isCounting = true
  const count = () => {
    looks += 1
    if (isCounting) setImmediate(count)
  }
  count()
  /** Requests that were handled between two looks at the sockets. */
  const handled = new Map<number, number>()
  const costMs = 5
  const { port } = await site.listen(false, {
    plugins: [
      async (app) => {
        app.get('/slow', async () => {
          const endMs = performance.now() + costMs
          let left = true
          while (left) left = performance.now() < endMs
          handled.set(looks, (handled.get(looks) ?? 0) + 1)
          return 'done'
        })
      },
    ],
  })
  const clients = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'))
  await Promise.all(clients.map((client) => once(client, 'connect')))
  // The loop accepts one in a turn.
  await untilEqual('all to be accepted', () => site.limits.connections.stats().open, clients.length)
  const answers = clients.map(rest)
  for (const client of clients) client.write('GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  for (const answer of await Promise.all(answers)) assert.match(answer.toString(), /done$/)
  isCounting = false
  // One as its socket is read, one that has waited, and one more where the count falls between.
  assert.ok(Math.max(...handled.values()) <= 3, `${[...handled.values()]}`)
})
