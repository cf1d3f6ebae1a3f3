import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startLoad } from '../../scripts/test/load.js'
import { until } from '../support/processes.js'

/** Ticks that a process was on a processor. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11])
}

const gone = (pids: readonly number[]) =>
  until('the loops to end', async () => pids.every((pid) => !existsSync(`/proc/${pid}`)) || undefined)

test('the loops are busy until they are stopped', async () => {
  const load = startLoad(2)
  assert.equal(load.pids.length, 2)
  await until('both to be busy', async () => load.pids.every((pid) => ticks(pid) > 30) || undefined)
  load.stop()
  await gone(load.pids)
})

test('no loop outlives a parent that is killed', async (t) => {
  const module = new URL('../../scripts/test/load.js', import.meta.url).href
  const text = `import { startLoad } from '${module}'; console.log(startLoad(2).pids.join(' ')); setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => parent.kill('SIGKILL'))
  const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
  const pids = line.trim().split(' ').map(Number)
  await until('both to be busy', async () => pids.every((pid) => ticks(pid) > 30) || undefined)
  parent.kill('SIGKILL')
  await gone(pids)
})
