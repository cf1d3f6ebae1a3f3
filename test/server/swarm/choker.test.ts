import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Choker } from '../../../server/swarm/choker.js'
import { TokenBucket } from '../../../src/token-bucket.js'

function crowd(size: number): Choker {
  const choker = new Choker()
  for (let conn = 1; conn <= size; conn++) choker.interested(conn, 'a')
  return choker
}

test('eight at a time, four while agents are served, first come first served', () => {
  assert.deepEqual(crowd(20).update(0, false), { unchoke: [1, 2, 3, 4, 5, 6, 7, 8], choke: [] })
  assert.deepEqual(crowd(20).update(0, true), { unchoke: [1, 2, 3, 4], choke: [] })
  assert.deepEqual(crowd(2).update(0, false), { unchoke: [1, 2], choke: [] })
})

test('who had its share makes room for those who wait, and waits behind them', () => {
  const choker = crowd(10)
  choker.update(0, false)
  for (let conn = 1; conn <= 8; conn++) choker.active(conn, 9_900)
  assert.deepEqual(choker.update(9_950, false), { unchoke: [], choke: [] })
  assert.deepEqual(choker.update(10_000, false), { unchoke: [9, 10], choke: [1, 2] })
  choker.leave(3)
  assert.deepEqual(choker.update(10_100, false), { unchoke: [1, 2], choke: [4] })
})

test('an address with a thousand clients waits behind one that has none of the slots', () => {
  const choker = crowd(1_000)
  choker.update(0, false)
  choker.interested(2_000, 'b')
  for (let conn = 1; conn <= 8; conn++) choker.active(conn, 9_900)
  assert.deepEqual(choker.update(10_000, false), {
    unchoke: [9, 2_000, 10, 11, 12, 13, 14, 15],
    choke: [1, 2, 3, 4, 5, 6, 7, 8],
  })
})

test('nobody is choked while nobody waits', () => {
  const choker = crowd(8)
  choker.update(0, false)
  assert.deepEqual(choker.update(60_000, false), { unchoke: [], choke: [] })
})

test('an idle one makes room at once', () => {
  const choker = crowd(9)
  choker.update(0, false)
  for (const conn of [1, 2, 3, 5, 6, 7, 8]) choker.active(conn, 1_200)
  assert.deepEqual(choker.update(1_500, false), { unchoke: [9], choke: [4] })
  assert.equal(choker.leave(9), true)
  assert.equal(choker.leave(9), false)
})

test('a token bucket gives its rate, and a quarter of a second at once', () => {
  const bucket = new TokenBucket(1_000)
  assert.equal(bucket.take(250, 0), true)
  assert.equal(bucket.take(1, 0), false)
  assert.equal(bucket.take(100, 100), true)
  assert.equal(bucket.take(1, 100), false)
  assert.equal(bucket.take(251, 60_000), false)
  assert.equal(bucket.take(250, 60_000), true)
})
