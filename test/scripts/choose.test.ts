import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choose } from '../../scripts/test/choose.js'
import { BootswarmError } from '../../src/errors.js'

const steps = ['lint', 'unit', 'agent', 'network', 'e2e']

test('without words everything runs once; words choose steps, in the order of the suite', () => {
  assert.deepEqual(choose([], steps), { mode: 'run', quick: false, names: steps, repeat: 1, loaded: false })
  assert.deepEqual(choose(['e2e', 'unit'], steps).names, ['unit', 'e2e'])
  const slow = choose(['--loaded', 'e2e', '--repeat', '3'], steps)
  assert.deepEqual([slow.names, slow.repeat, slow.loaded], [['e2e'], 3, true])
  assert.equal(choose(['quick'], steps).quick, true)
  assert.equal(choose(['--list'], steps).mode, 'list')
  assert.equal(choose(['--help', '--list'], steps).mode, 'help')
})

test('a step that does not exist is an error that names those that do', () => {
  const refused = (argv: string[], text: RegExp) =>
    assert.throws(
      () => choose(argv, steps),
      (error) =>
        error instanceof BootswarmError && error.code === 'USAGE_INVALID' && text.test(error.message),
      argv.join(' '),
    )
  refused(
    ['units'],
    /no step units, did you mean unit\? There are: lint, unit, agent, network, e2e; and quick/,
  )
  refused(['storms'], /no step storms\. There are/)
  // A part of a name is no name: `agent` would be meant by `a`.
  refused(['age'], /no step age/)
  refused(['quick', 'e2e'], /quick is a choice of its own/)
  for (const count of ['0', '-1', '1.5', 'x', '1001'])
    refused([`--repeat=${count}`], /--repeat wants a number/)
  refused(['--slow'], /--slow/)
})
