import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRange, type RangeAnswer } from '../../../server/http/range.js'

const whole: RangeAnswer = { kind: 'whole' }
const none: RangeAnswer = { kind: 'unsatisfiable' }
const part = (start: number, end: number): RangeAnswer => ({ kind: 'part', start, end })

const cases: readonly [string | undefined, number, RangeAnswer][] = [
  [undefined, 100, whole],
  ['bytes=0-0', 100, part(0, 0)],
  ['bytes=0-99', 100, part(0, 99)],
  ['bytes=10-', 100, part(10, 99)],
  ['bytes=-10', 100, part(90, 99)],
  ['bytes=-1000', 100, part(0, 99)],
  ['bytes=50-1000', 100, part(50, 99)],
  ['bytes=99-99', 100, part(99, 99)],
  ['BYTES=1-2', 100, part(1, 2)],
  ['bytes= 1-2 ', 100, part(1, 2)],
  ['bytes=100-', 100, none],
  ['bytes=100-200', 100, none],
  ['bytes=-0', 100, none],
  // What is malformed counts as absent (RFC 9110, 14.2).
  ['bytes=5-4', 100, whole],
  ['bytes=-', 100, whole],
  ['bytes=a-b', 100, whole],
  ['bytes=1-2,4-5', 100, whole],
  ['items=1-2', 100, whole],
  ['bytes=1.5-2', 100, whole],
  ['bytes=--1', 100, whole],
  [`bytes=${'9'.repeat(200)}-`, 100, whole],
  ['bytes=99999999999999999999-', 100, none],
]

for (const [header, size, expected] of cases) {
  test(`Range ${header?.slice(0, 40)} of ${size} bytes`, () => {
    assert.deepEqual(parseRange(header, size), expected)
  })
}
