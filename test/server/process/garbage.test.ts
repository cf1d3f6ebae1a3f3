import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectGarbage, GarbageWatch } from '../../../server/process/garbage.js'

test('is due twice when most of many are gone, and not again', () => {
  const watch = new GarbageWatch()
  assert.equal(watch.isDue(1_000, 0), false)
  assert.equal(watch.isDue(501, 1_000), false)
  assert.equal(watch.isDue(500, 2_000), true)
  assert.equal(watch.isDue(100, 11_000), false)
  assert.equal(watch.isDue(400, 12_000), true)
  assert.equal(watch.isDue(400, 100_000), false)
})

test('few are not worth it', () => {
  const watch = new GarbageWatch()
  assert.equal(watch.isDue(255, 0), false)
  assert.equal(watch.isDue(0, 1_000), false)
})

test('collects what nobody holds', async () => {
  const held = new WeakRef({ bytes: new Uint8Array(1_000_000) })
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  assert.equal(held.deref(), undefined)
})
