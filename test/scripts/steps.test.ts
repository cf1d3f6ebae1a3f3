import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { countCargo, countNode, lastWords, runStep } from '../../scripts/test/steps.js'
import { scratch } from '../support/scratch.js'

/** What a test prints would mix with what node's runner says over the same pipe. */
const quiet = () => undefined

test('cargo counts are summed over all binaries', () => {
  const output = [
    'test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s',
    'test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s',
  ].join('\n')
  assert.deepEqual(countCargo(output), { passed: 15, failed: 2, skipped: 1 })
})

test("node's closing lines are read, cancelled and todo tests too", () => {
  const output = ['pass 99', 'tests 9', 'pass 5', 'fail 1', 'cancelled 1', 'skipped 1', 'todo 1'].map(
    (line) => `ℹ ${line}`,
  )
  assert.deepEqual(countNode(output.join('\n')), { passed: 5, failed: 2, skipped: 2 })
})

test('a step that exits well without a single test has failed', async () => {
  const outcome = await runStep({ name: 'empty', command: ['true'], count: countCargo }, quiet)
  assert.deepEqual(outcome.count, { passed: 0, failed: 1, skipped: 0 })
})

test('a step that dies has failed whatever it counted before', async () => {
  const outcome = await runStep(
    {
      name: 'dies',
      command: ['sh', '-c', 'echo "ℹ pass 3"; exit 1'],
      count: countNode,
    },
    quiet,
  )
  assert.deepEqual(outcome.count, { passed: 3, failed: 1, skipped: 0 })
  assert.deepEqual(outcome.lastWords, ['ℹ pass 3'])
})

test("of a failed step the list of failures is kept, node's or cargo's, else its last lines", () => {
  const node = ['✖ x (1ms)', 'ℹ fail 1', '', '✖ failing tests:', '', 'test at x.js:1:1', '✖ x (1ms)']
  assert.deepEqual(lastWords(node.join('\n')), node.slice(3))
  const cargo = [
    'test x ... FAILED',
    'failures:',
    '---- x stdout ----',
    'why',
    'failures:',
    '    x',
    '',
    'failed',
  ]
  assert.deepEqual(lastWords(cargo.join('\n')), cargo.slice(1))
  const lines = Array.from({ length: 300 }, (_, index) => `line ${index}`)
  assert.deepEqual(lastWords(lines.join('\n')), lines.slice(-100))
})

test('a step that does not end is ended, and has failed', async () => {
  const outcome = await runStep({ name: 'hangs', command: ['sleep', '600'], limitMs: 100 }, quiet)
  assert.deepEqual(outcome.count, { passed: 0, failed: 1, skipped: 0 })
})

test('what each file takes is told, and its failed tests count', async (t) => {
  const directory = scratch(t)
  const timesFile = join(directory, 'times')
  const files = ['a', 'b'].map((name) => join(directory, `${name}.test.mjs`))
  for (const file of files)
    writeFileSync(file, "import { test } from 'node:test'\ntest('x', () => {})\ntest('y', () => {})\n")
  const reporter = new URL('../../scripts/test/file-times.js', import.meta.url).href
  const flags = [
    ...['--test', '--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...[`--test-reporter=${reporter}`, `--test-reporter-destination=${timesFile}`],
  ]
  const command: [string, ...string[]] = [
    'env',
    '-u',
    'NODE_TEST_CONTEXT',
    process.execPath,
    ...flags,
    ...files,
  ]
  const outcome = await runStep({ name: 'timed', command, count: countNode, timesFile }, quiet)
  assert.deepEqual(outcome.count, { passed: 4, failed: 0, skipped: 0 })
  assert.deepEqual(outcome.lastWords, [])
  assert.deepEqual(outcome.files.map(({ file }) => file).sort(), files)
  assert.ok(outcome.files.every(({ seconds }) => seconds > 0))
  assert.ok(!existsSync(timesFile))
})
