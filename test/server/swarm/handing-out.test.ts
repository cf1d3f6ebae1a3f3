import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandingOut } from '../../../server/swarm/handing-out.js'

test('the seeder hands out while its counters move, and a little longer', () => {
  const watch = new HandingOut()
  const torrent = (handouts: number, rescues = 0) => ({ handouts, rescues })
  assert.equal(watch.look([torrent(0)], 10), false)
  assert.equal(watch.look([torrent(1), torrent(0)], 20), true)
  assert.equal(watch.look([torrent(1), torrent(0)], 3_000), true)
  assert.equal(watch.look([torrent(1), torrent(0)], 3_030), false)
  assert.equal(watch.look([torrent(1), torrent(0, 1)], 9_000), true)
  assert.equal(watch.look([], 20_000), true)
  assert.equal(watch.look([], 30_000), false)
})
