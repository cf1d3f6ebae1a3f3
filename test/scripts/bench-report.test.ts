import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countOf, tableOf } from '../../scripts/bench-report.js'

test('a number of the command line is a whole one above 0', () => {
  assert.equal(countOf('nodes', '500'), 500)
  for (const text of ['', '0', '-1', '1.5', 'many', '1e99'])
    assert.throws(() => countOf('nodes', text), { code: 'USAGE_INVALID', message: /^--nodes: / }, text)
})

test('rows become a Markdown table', () => {
  const rows = [{ name: 'a', ms: 1.25 }]
  const table = tableOf(rows, { who: ({ name }) => name, 'ms each': ({ ms }) => ms.toFixed(1) })
  assert.equal(table, '| who | ms each |\n|---|---|\n| a | 1.3 |')
})
