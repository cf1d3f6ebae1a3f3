import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadAhead } from '../../../server/http/read-ahead.js'

test('a hundred files are read in large parts, thousands in small ones, and all wait in a bounded amount', () => {
  const readAhead = new ReadAhead()
  const parts = Array.from({ length: 5000 }, () => readAhead.begin())
  assert.ok(parts.slice(0, 90).every((bytes) => bytes === 256 * 1024))
  assert.equal(parts.at(-1), 16 * 1024)
  const waiting = 2 * parts.reduce((all, bytes) => all + bytes, 0)
  assert.ok(waiting <= 64 * 2 ** 20 + parts.length * 2 * 16 * 1024, String(waiting))
  for (const bytes of parts) readAhead.end(bytes)
  assert.equal(readAhead.begin(), 256 * 1024)
})
