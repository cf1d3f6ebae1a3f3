import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandoutActivity } from '../../../server/swarm/handout-activity.js'

test('the seeder hands out while agents lack pieces that nobody has, and bytes move', () => {
  const watch = new HandoutActivity()
  const torrent = (uploadedBytes: number, unheld = 3, agents = 2) => ({ uploadedBytes, unheld, agents })
  assert.equal(watch.isHandingOut([torrent(0)], 10), false, 'nothing has gone out')
  assert.equal(watch.isHandingOut([torrent(1), torrent(0)], 20), true)
  assert.equal(watch.isHandingOut([torrent(1), torrent(0)], 10_019), true)
  assert.equal(watch.isHandingOut([torrent(1), torrent(0)], 10_020), false, 'for long nothing has gone out')
  assert.equal(watch.isHandingOut([torrent(1), torrent(1)], 20_000), true)
  assert.equal(
    watch.isHandingOut([torrent(2, 0), torrent(1, 0)], 20_010),
    false,
    'everything is with somebody',
  )
  assert.equal(watch.isHandingOut([torrent(3, 1, 0)], 20_020), false, 'nobody is there')
  assert.equal(watch.isHandingOut([torrent(4, 1)], 20_030), true)
})
