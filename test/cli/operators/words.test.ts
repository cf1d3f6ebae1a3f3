import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waterfall } from '../../../cli/operators/node-why.js'
import { progressBar } from '../../../cli/operators/progress.js'
import { parseWhere } from '../../../cli/operators/where.js'
import {
  countOf,
  formatBytes,
  formatDuration,
  formatFacts,
  formatTime,
} from '../../../cli/operators/words.js'

test('durations and bytes have three digits at most', () => {
  const durations = [-5, 0, 119.9, 120, 7199, 7200, 172_799, 172_800, 864_000]
  assert.deepEqual(durations.map(formatDuration), [
    ...['0 s', '0 s', '119 s', '2 min', '119 min', '2 h', '47 h', '2 d', '10 d'],
  ])
  const bytes = [0, 812, 999, 1000, 4500, 9949, 9951, 130e6, 999.4e9, 999.6e9, 5e15]
  assert.deepEqual(bytes.map(formatBytes), [
    ...[
      '0 B',
      '812 B',
      '999 B',
      '1.0 kB',
      '4.5 kB',
      '9.9 kB',
      '10 kB',
      '130 MB',
      '999 GB',
      '1.0 TB',
      '5000 TB',
    ],
  ])
  assert.match(formatTime(Date.UTC(2026, 10, 30, 12, 0, 1, 23)), /^2026-(11-30|12-01) \d\d:\d\d:01\.023$/)
  assert.deepEqual(
    [countOf(1, 'node'), countOf(0, 'node'), countOf(2, 'node')],
    ['1 node', '0 nodes', '2 nodes'],
  )
})

test('facts of an event are told apart, whatever they say', () => {
  assert.equal(formatFacts({}), '')
  const data = {
    file: 'x64/ipxe.efi',
    bytes: 5,
    why: 'no such file',
    note: '',
    'a b': 'c=d',
    fans: [1, { n: 2 }],
  }
  assert.equal(
    formatFacts(data),
    'file=x64/ipxe.efi bytes=5 why="no such file" note="" "a b"="c=d" fans=[1,{"n":2}]',
  )
})

test('a waterfall has a bar for each phase, where it lay in the boot', () => {
  const span = (phase: 'dhcp' | 'queue' | 'files', started_ms: number, ended_ms: number | null) => ({
    ...{ phase, started_ms, ended_ms },
  })
  assert.deepEqual(waterfall([], 5), [])
  const ended = [span('dhcp', 1000, 2000), span('queue', 2000, 2000), span('files', 2000, 4000)]
  assert.deepEqual(waterfall(ended, 99_000), [
    `dhcp             1.0 s  ${'#'.repeat(10)}`,
    `queue            0.0 s  ${' '.repeat(10)}#`,
    `files            2.0 s  ${' '.repeat(10)}${'#'.repeat(20)}`,
  ])
  // What is not over goes up to now.
  assert.deepEqual(waterfall([span('dhcp', 1000, 2000), span('files', 2000, null)], 301_000), [
    'dhcp             1.0 s  #',
    `files         4 min...  ${'#'.repeat(30)}`,
  ])
  assert.equal(waterfall([span('dhcp', 1000, null)], 500)[0], 'dhcp          0.0 s...  #')
})

test('a bar is empty, half and full', () => {
  assert.equal(progressBar(0, 10), `[${' '.repeat(40)}] 0/10`)
  assert.equal(progressBar(5, 10), `[${'#'.repeat(20)}${' '.repeat(20)}] 5/10`)
  assert.equal(progressBar(10, 10), `[${'#'.repeat(40)}] 10/10`)
})

test('conditions become a query; a key that is named twice means either value', () => {
  assert.deepEqual(parseWhere('state=failed'), { state: 'failed' })
  assert.deepEqual(parseWhere('state=failed, rack=row 7,state=lost'), { state: 'failed,lost', rack: 'row 7' })
  assert.deepEqual(parseWhere('text=a=b'), { text: 'a=b' })
  for (const [text, message] of [
    ['sate=failed', /did you mean state=\?/],
    ['zebra=1', /begins with none of state=, cause=, rack=, .*text=/],
    ['state', /"state"/],
    ['', /""/],
    ['state=', /state= needs a value/],
    ['text=a,text=b', /text= is possible once/],
  ] as const) {
    assert.throws(() => parseWhere(text), { code: 'USAGE_INVALID', message })
  }
})
