import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failureLines, type Outcome, reportLines, totals } from '../../scripts/test/report.js'

const unit: Outcome = {
  name: 'unit',
  count: { passed: 5, failed: 0, skipped: 0 },
  seconds: 61.25,
  cpuSeconds: 90.4,
  files: ['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) => ({ file: `dist/${name}`, seconds: 30 - index })),
  lastWords: [],
}
const boot: Outcome = {
  name: 'boot',
  count: { passed: 2, failed: 1, skipped: 1 },
  seconds: 8,
  cpuSeconds: 0.6,
  files: [],
  lastWords: ['failing tests:', 'a boot'],
}

test('each step is told with its time, its processor time and its five slowest files', () => {
  assert.deepEqual(
    reportLines([unit, boot], (file) => file.slice(5)),
    [
      '    61.3 s  unit: 5 passed, 0 failed (90 s of processor)',
      '               30.0 s  a',
      '               29.0 s  b',
      '               28.0 s  c',
      '               27.0 s  d',
      '               26.0 s  e',
      '     8.0 s  boot: 2 passed, 1 failed, 1 skipped (1 s of processor)',
      '    69.3 s  in all',
    ],
  )
})

test('what was skipped has failed', () => {
  assert.deepEqual(totals([unit, boot]), { passed: 7, failed: 2, broken: ['boot'] })
})

test('what failed is said again', () => {
  assert.deepEqual(failureLines([unit, boot]), ['', '== boot, again:', 'failing tests:', 'a boot'])
})
