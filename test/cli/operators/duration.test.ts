import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDurationS } from '../../../cli/operators/duration.js'

test('seconds, minutes, hours', () => {
  const texts = ['0', '30', '30s', ' 5m', '1h']
  assert.deepEqual(
    texts.map((text) => parseDurationS(text, 'pause')),
    [0, 30, 30, 300, 3600],
  )
  for (const text of ['', '-1', '5d', '1.5m', '99999', 'soon'])
    assert.throws(() => parseDurationS(text, 'pause'), {
      code: 'USAGE_INVALID',
      message: /--pause: expected/,
    })
})
