import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failures } from '../../../server/process/failures.js'
import { backoffMs, Recurring } from '../../../server/process/recurring.js'
import { BootswarmError } from '../../../src/errors.js'

function make() {
  const lines: string[] = []
  const note = (facts: object, message: string) =>
    lines.push(`${(facts as { event: string }).event}: ${message}`)
  let nowMs = 1000
  const failures = new Failures({ error: note, info: note }, () => nowMs)
  return {
    failures,
    lines,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

test('a part that fails is named once in the log, listed while it fails, and named when it works again', () => {
  const { failures, lines, pass } = make()
  failures.worked('the store')
  assert.equal(failures.failed('the store', new Error('EMFILE: too many open files')), 1)
  pass(500)
  assert.equal(failures.failed('the store', new BootswarmError('DATABASE_FAILED', 'disk full')), 2)
  failures.failed('the catalog', 'x'.repeat(1000))
  assert.deepEqual(
    failures.list().map(({ message, ...failure }) => ({ ...failure, length: message.length })),
    [
      { part: 'the store', code: 'DATABASE_FAILED', length: 9, times: 2, sinceMs: 1000 },
      { part: 'the catalog', code: 'PART_FAILED', length: 500, times: 1, sinceMs: 1500 },
    ],
  )
  failures.worked('the store')
  failures.worked('the store')
  assert.deepEqual(
    failures.list().map(({ part }) => part),
    ['the catalog'],
  )
  assert.equal(lines.length, 3)
  assert.equal(lines[0], 'part.failed: the store failed, trying again: EMFILE: too many open files')
  assert.equal(lines[2], 'part.recovered: the store works again')
})

test('the waits between failures grow to a minute; rare work is not done more often', () => {
  assert.deepEqual(
    [1, 2, 3, 5, 6, 1000].map((failed) => backoffMs(2000, failed)),
    [4000, 8000, 16_000, 60_000, 60_000, 60_000],
  )
  assert.equal(backoffMs(100_000, 3), 100_000)
})

test('recurring work goes on after failures, thrown at once or later', async () => {
  const { failures, lines } = make()
  let runs = 0
  await new Promise<void>((resolve) => {
    const recurring = new Recurring({
      part: 'looking',
      everyMs: 1,
      failures,
      run: () => {
        runs += 1
        if (runs === 1) throw new Error('at once')
        if (runs === 2) return Promise.reject(new Error('later'))
        if (runs < 5) return undefined
        recurring.stop()
        resolve()
        return undefined
      },
    })
    recurring.start()
    setTimeout(() => {}, 60_000).unref()
    // Does not keep the process alive by itself.
    const keep = setInterval(() => runs >= 5 && clearInterval(keep), 1)
  })
  assert.deepEqual(lines, [
    'part.failed: looking failed, trying again: at once',
    'part.recovered: looking works again',
  ])
  assert.deepEqual(failures.list(), [])
})
