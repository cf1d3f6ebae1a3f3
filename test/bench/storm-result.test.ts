import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idleUntil } from '../../bench/storm/result.js'

test('idle time counts until the last healthy node, not while slow ones go on alone', () => {
  const samples = [0.1, 0.05, 0.15, 0.9, 0.9].map((idle, i) => ({ atS: i + 1, idle }))
  assert.equal(idleUntil(samples, 3.4), 0.1)
  assert.equal(idleUntil(samples, Number.POSITIVE_INFINITY), 0.42)
  assert.equal(idleUntil([], 3), 1)
})
