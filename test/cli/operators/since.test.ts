import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSince } from '../../../cli/operators/since.js'

test('a time, or how long ago', () => {
  const nowMs = Date.parse('2026-11-30T12:00:00Z')
  const since = (text: string) => parseSince(text, nowMs)
  assert.deepEqual(
    [since('45s'), since('10m'), since('10 min'), since('2h'), since('3d')].map((ms) => nowMs - ms),
    [45_000, 600_000, 600_000, 7_200_000, 259_200_000],
  )
  assert.equal(since('2026-11-30T11:59:00Z'), nowMs - 60_000)
  assert.equal(since('2026-11-30 12:59:00.500+01:00'), nowMs - 59_500)
  assert.equal(since('2026-11-30 10:00'), new Date(2026, 10, 30, 10).getTime())
  assert.equal(since('2026-11-30'), new Date(2026, 10, 30).getTime())
  assert.equal(since('999999d'), 0)
  for (const text of [
    '',
    'yesterday',
    '10',
    '10w',
    '-5m',
    '2026-13-01',
    '2026-11-30 25:00',
    'm',
    '1e9s',
    'Z',
  ])
    assert.throws(() => since(text), { code: 'USAGE_INVALID' }, text)
})
