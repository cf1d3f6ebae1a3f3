import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestTurns } from '../../../server/http/request-turns.js'

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
