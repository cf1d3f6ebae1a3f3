import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countCargo, countNode, runStep } from '../../scripts/test/steps.js'

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
  const count = await runStep({ name: 'empty', command: ['true'], count: countCargo }, quiet)
  assert.deepEqual(count, { passed: 0, failed: 1, skipped: 0 })
})

test('a step that dies has failed whatever it counted before', async () => {
  const count = await runStep(
    {
      name: 'dies',
      command: ['sh', '-c', 'echo "ℹ pass 3"; exit 1'],
      count: countNode,
    },
    quiet,
  )
  assert.deepEqual(count, { passed: 3, failed: 1, skipped: 0 })
})

test('a step that does not end is ended, and has failed', async () => {
  const count = await runStep({ name: 'hangs', command: ['sleep', '600'], limitMs: 100 }, quiet)
  assert.deepEqual(count, { passed: 0, failed: 1, skipped: 0 })
})
