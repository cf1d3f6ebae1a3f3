import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineBudget } from '../../src/line-budget.js'
import { TokenBucket, TokenBuckets } from '../../src/token-bucket.js'

test('a burst, and then so many a second', () => {
  const bucket = new TokenBucket(10, 3)
  assert.deepEqual(
    [1, 1, 1, 1].map((count) => bucket.take(count, 0)),
    [true, true, true, false],
  )
  assert.deepEqual([bucket.take(1, 99), bucket.take(1, 100), bucket.take(1, 100)], [false, true, false])
  assert.ok(bucket.take(3, 60_000))
  assert.ok(!bucket.take(1, 60_000))
})

test('a clock that is set back stops nothing', () => {
  const bucket = new TokenBucket(10, 2)
  assert.ok(bucket.take(1, 3_600_000))
  assert.deepEqual([bucket.take(1, 0), bucket.take(1, 0), bucket.take(1, 100)], [true, false, true])
})

test('each key has its own; of too many the one not used for longest is forgotten', () => {
  const buckets = new TokenBuckets(2, 1, 1)
  assert.deepEqual(
    ['a', 'b', 'a', 'c', 'a', 'b'].map((key) => buckets.take(key, 1, 0)),
    [true, true, false, true, false, true],
  )
  assert.equal(buckets.size, 2)
})

test('lines beyond the budget are left out and counted', () => {
  const budget = new LineBudget(1, 2)
  assert.deepEqual(
    [0, 0, 0, 0, 1000, 1000, 2000].map((nowMs) => budget.take(nowMs)),
    [0, 0, undefined, undefined, 2, undefined, 1],
  )
})
