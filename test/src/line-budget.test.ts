import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedLineBudget } from '../../src/line-budget.js'

test('one address that causes lines without end leaves some for others, and what is left out is counted', () => {
  const budget = new SharedLineBudget(20, 256)
  const got = Array.from({ length: 1_000 }, () => budget.take('10.0.0.66', 0))
  const leftOut = got.filter((count) => count === undefined).length
  assert.ok(leftOut > 744, `${leftOut}`)
  assert.equal(budget.take('10.0.0.1', 0), leftOut)
  for (let n = 2; n < 12; n += 1) assert.equal(budget.take(`10.0.0.${n}`, 0), 0, `${n}`)
})
