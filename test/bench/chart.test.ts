import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chart, ticks } from '../../bench/storm/chart.js'

test('ticks are round numbers, a handful of them, and none is beyond the picture', () => {
  assert.deepEqual(ticks(100), [0, 20, 40, 60, 80, 100])
  assert.deepEqual(ticks(777), [0, 100, 200, 300, 400, 500, 600, 700])
  assert.deepEqual(ticks(0.3), [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
  for (let most = 0.001; most < 1e7; most *= 1.3) {
    const found = ticks(most)
    assert.ok(found.length >= 5 && found.length <= 11, `${most}: ${found}`)
    assert.ok(
      found.every((value) => value >= 0 && value <= most * 1.000001),
      `${most}: ${found}`,
    )
  }
})

test('what lies beyond the end of a chart is left out, and the line goes on to it', () => {
  const text = { title: 'T', x: 'seconds', y: '%' }
  const line = {
    name: 'a <b',
    colour: '#000',
    points: [
      [0, 0],
      [5, 100],
      [90, 100],
    ] as const,
  }
  const svg = chart(text, [line], 10)
  // The picture is 830 wide from 60 on: 5 lies in its middle, and nothing is to the right of 890.
  assert.ok(svg.includes('M60.0 266.0L475.0 10.0L890.0 10.0"'), svg)
  assert.ok(svg.includes('a &lt;b') && !svg.includes('>90<'), svg)
})
