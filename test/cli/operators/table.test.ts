import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTable } from '../../../cli/operators/table.js'

type Row = readonly [string, string, string]
const columns = [
  { title: 'NAME', of: ([name]: Row) => name, min: 4 },
  { title: 'N', of: ([, n]: Row) => n, isRight: true },
  { title: 'NOTE', of: ([, , note]: Row) => note, min: 4 },
]
const rows: Row[] = [
  ['rig001', '5', 'a short note'],
  ['rig-with-a-long-name', '1234', ''],
]

test('without a terminal nothing is cut', () => {
  assert.deepEqual(formatTable(columns, rows), [
    'NAME                     N  NOTE',
    'rig001                   5  a short note',
    'rig-with-a-long-name  1234',
  ])
  assert.deepEqual(formatTable(columns, []), ['NAME  N  NOTE'])
})

test('on a terminal the widest column gives way first, and those of numbers never', () => {
  assert.deepEqual(formatTable(columns, rows, 30), [
    'NAME            N  NOTE',
    'rig001          5  a short no…',
    'rig-with-a…  1234',
  ])
  for (const width of [60, 40, 30, 20, 16]) {
    for (const line of formatTable(columns, rows, width))
      assert.ok([...line].length <= width, `${width}: ${line}`)
  }
  assert.match(formatTable(columns, rows, 20)[2] ?? '', /^rig.*… +1234$/)
  // Where nothing more can be cut, lines are longer.
  assert.ok((formatTable(columns, rows, 5)[2] ?? '').includes('1234'))
})

test('what others chose is printable, and no character is cut in half', () => {
  const [, line = ''] = formatTable(columns, [['\u001b[31m', '1', '']])
  assert.match(line, /^\\u001b\[31m/)
  const [, smile = ''] = formatTable(columns, [['😀😀😀😀😀😀', '1', '']], 14)
  assert.match(smile, /^😀+…/u)
})
