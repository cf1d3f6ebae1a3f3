import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { runOperatorBench } from '../../bench/operators/answers.js'
import { Undo } from '../../bench/storm/undo.js'
import { scratch } from '../support/scratch.js'

test('nodes report, every kind of answer is measured, and nothing is left behind', async (t) => {
  const directory = scratch(t)
  const undo = new Undo()
  t.after(() => undo.all())
  const said: string[] = []
  const size = { nodes: 3, boots: 11, requests: 2 }
  const rows = await runOperatorBench({ ...size, directory, log: (line) => said.push(line) }, undo)
  assert.equal(rows.length, 9)
  for (const { what, medianMs, maxMs, bytes } of rows)
    assert.ok(medianMs > 0 && maxMs >= medianMs && bytes > 2, what)
  assert.match(said.join(), /^11 boots of 3 nodes/)
  assert.deepEqual(readdirSync(directory), [])
})
