import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChildStart } from '../../../server/process/child-start.js'

/** Counts what is done with it. */
function child() {
  const calls: string[] = []
  return { calls, start: () => void calls.push('start'), stop: async () => void calls.push('stop') }
}
const silent = new Error('silent')

test('a start ends with what the child says; one that fails or stays silent is stopped', async () => {
  const start = new ChildStart()
  const good = child()
  const running = start.run(good, silent)
  assert.equal(start.isUnderWay, true)
  start.succeeded()
  await running
  assert.deepEqual([good.calls, start.isUnderWay], [['start'], false])

  const bad = child()
  const failing = start.run(bad, silent)
  start.failed(new Error('no port'))
  await assert.rejects(failing, /no port/)
  assert.deepEqual([bad.calls, start.isUnderWay], [['start', 'stop'], false])

  const mute = child()
  await assert.rejects(start.run(mute, silent, 1), silent)
  assert.deepEqual(mute.calls, ['start', 'stop'])
  // Nobody waits any more.
  start.failed(new Error('late'))
})
