import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDrops } from '../../bench/storm/backlog.js'
import { idleUntil } from '../../bench/storm/result.js'

test('idle time counts until the last healthy node, not while slow ones go on alone', () => {
  const samples = [0.1, 0.05, 0.15, 0.9, 0.9].map((idle, i) => ({ atS: i + 1, idle }))
  assert.equal(idleUntil(samples, 3.4), 0.1)
  assert.equal(idleUntil(samples, Number.POSITIVE_INFINITY), 0.42)
  assert.equal(idleUntil([], 3), 1)
})

test('what the host lost between namespaces is the second column of all processors', () => {
  const lines = ['04b93d35 005604a3 0000024f 00000000', '04a9fb68 0000000a 00000216 00000000', '']
  assert.equal(parseDrops(lines.join('\n')), 0x5604a3 + 10)
  assert.equal(parseDrops(''), 0)
})
