import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnverifiedReports } from '../../../server/nodes/unverified-reports.js'

test('unverified reports cannot flood the log: one line for each name and minute, of one address at most so many that others have some of the twenty in all, and a count of the rest', () => {
  const lines: string[] = []
  let nowMs = 0
  const log = { warn: (_facts: object, message: string) => void lines.push(message) }
  const reports = new UnverifiedReports(log, () => nowMs)
  const failure = { code: 'TLS_FAILED', message: 'the clock says 2050' }
  for (let again = 0; again < 3; again += 1) reports.received('rig-1', '10.0.0.5', failure)
  assert.deepEqual(lines, [
    'rig-1 at 10.0.0.5 says over plain HTTP, which proves nothing, that it did not boot: TLS_FAILED: the clock says 2050',
  ])
  for (let index = 2; index <= 30; index += 1) reports.received(`rig-${index}`, '10.0.0.5', failure)
  assert.equal(lines.length, 15)
  reports.received('rig-40', '10.0.0.6', failure)
  assert.equal(lines.length, 16)
  nowMs = 60_000
  reports.received('rig-1', '10.0.0.5', failure)
  assert.equal(lines.length, 18)
  assert.equal(lines[16], '17 more reports came over plain HTTP')
})
