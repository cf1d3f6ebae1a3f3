import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Undo } from '../../bench/storm/undo.js'
import { runTimelineBench } from '../../bench/timeline/rounds.js'
import { checkout, scratch } from '../support/scratch.js'

test('a small farm boots, is measured, and leaves nothing behind', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  const directory = scratch(t)
  const undo = new Undo()
  t.after(() => undo.all())
  const said: string[] = []
  const builds = [{ name: 'this build', directory: checkout }]
  const size = { nodes: 3, seconds: 1, rounds: 1 }
  const rows = await runTimelineBench({ builds, ...size, directory, log: (line) => said.push(line) }, undo)
  assert.deepEqual(
    rows.map(({ build, allS, daemonS }) => [build, allS >= daemonS && daemonS > 0]),
    [['this build', true]],
  )
  assert.equal(said.length, 2)
  assert.deepEqual(readdirSync(directory), [])
})
