/** Nothing is left behind by a suite that is interrupted: no machine, no process, no namespace. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { end, until } from '../support/processes.js'
import { Wire } from '../support/wire.js'

const script = fileURLToPath(new URL('./left-behind.js', import.meta.url))

const namespaces = (pid: number | undefined) =>
  execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith(`bswire${pid}-`))

const gone = (pids: readonly number[]) =>
  until('the processes to end', async () => !pids.some((pid) => existsSync(`/proc/${pid}`)) || undefined)

/** Starts it and ends it; the ids of what ran in its network. */
async function interrupt(t: TestContext, signal: NodeJS.Signals) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], env })
  t.after(() => end(child, 'SIGKILL'))
  let said = ''
  child.stdout.on('data', (part: Buffer) => {
    said += part.toString()
  })
  const words = await until(
    'the machine to run',
    async () => /STARTED ([0-9]+) ([0-9]+) THE-END/.exec(said) ?? undefined,
  )
  assert.equal(namespaces(child.pid).length, 1)
  await end(child, signal)
  return { pid: child.pid, pids: words.slice(1).map(Number) }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`ended by ${signal} the suite takes everything with it`, async (t) => {
    if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
    const { pid, pids } = await interrupt(t, signal)
    await gone(pids)
    assert.deepEqual(namespaces(pid), [])
  })
}

test('what a suite that was killed has left behind goes with the next one; its machines at once', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  const { pid, pids } = await interrupt(t, 'SIGKILL')
  await gone(pids.slice(0, 1))
  assert.equal(namespaces(pid).length, 1)
  Wire.make(t)
  await gone(pids)
  assert.deepEqual(namespaces(pid), [])
})
