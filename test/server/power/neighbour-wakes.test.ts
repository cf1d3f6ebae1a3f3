import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NeighbourWakes } from '../../../server/power/neighbour-wakes.js'

/** Wakes on a clock that stands until the test lets all timers run out. */
function place() {
  const timers = new Set<() => void>()
  const wakes = new NeighbourWakes({
    after: (_ms, run) => {
      timers.add(run)
      return () => void timers.delete(run)
    },
  })
  const never = new AbortController().signal
  return { wakes, timers, ask: (rack: string, ...macs: string[]) => wakes.ask(rack, macs, never) }
}
const mac = (n: number) => `52:54:00:00:00:${String(n).padStart(2, '0')}`

test('the first node of the rack that reports takes it, once', async () => {
  const { wakes, timers, ask } = place()
  const asked = ask('r1', mac(1), mac(2))
  assert.deepEqual([wakes.take('r2'), wakes.take('')], [[], []])
  assert.deepEqual([wakes.take('r1'), wakes.take('r1')], [[mac(1), mac(2)], []])
  await asked
  assert.equal(timers.size, 0)
})

test('an answer has so many MACs, all of a machine together; the next report takes the rest', async () => {
  const { wakes, ask } = place()
  const all = Array.from({ length: 7 }, (_, n) => ask('r1', mac(3 * n), mac(3 * n + 1), mac(3 * n + 2)))
  assert.deepEqual([wakes.take('r1').length, wakes.take('r1').length, wakes.take('r1').length], [15, 6, 0])
  await Promise.all(all)
})

test('nobody reports, or the server ends: that is said, and nothing is left', async () => {
  const { wakes, timers, ask } = place()
  const late = ask('r1', mac(1))
  for (const run of timers) run()
  await assert.rejects(late, /no node of rack r1 has reported that could wake it/)
  const aborter = new AbortController()
  const ended = wakes.ask('r1', [mac(2)], aborter.signal)
  aborter.abort()
  await assert.rejects(ended, /the server ended/)
  assert.deepEqual([wakes.take('r1'), timers.size], [[], 0])
})
