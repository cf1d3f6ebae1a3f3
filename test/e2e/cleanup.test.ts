/** Nothing is left behind by a suite that is interrupted: no machine, no process, no namespace. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
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

/** Starts it; resolves when all of it runs. */
async function start(t: TestContext, ...args: string[]) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
  t.after(() => end(child, 'SIGKILL'))
  const closed = once(child, 'close')
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      said += part.toString()
    })
  }
  const [, machine, program, directory = ''] = await until(
    'the machine to run',
    async () => /STARTED ([0-9]+) ([0-9]+) (\S+) THE-END/.exec(said) ?? undefined,
  )
  assert.equal(namespaces(child.pid).length, 1)
  assert.ok(existsSync(directory))
  return { child, machine: Number(machine), program: Number(program), directory, said: () => said, closed }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`ended by ${signal} the suite takes everything with it`, async (t) => {
    if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
    const { child, machine, program, directory } = await start(t)
    await end(child, signal)
    await gone([machine, program])
    assert.deepEqual([namespaces(child.pid), existsSync(directory)], [[], false])
  })
}

test('at its deadline the suite says what still runs, fails, and takes everything with it', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  const { child, machine, program, directory, said, closed } = await start(t, '200')
  await closed
  assert.equal(child.exitCode, 1)
  assert.match(said(), /e2e: not done after 0\.2 s; still running: never ends \([0-9.]+ s\)/)
  await gone([machine, program])
  assert.deepEqual([namespaces(child.pid), existsSync(directory)], [[], false])
})

test('what a suite that was killed has left behind goes with the next one; its machines at once', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  const { child, machine, program, directory } = await start(t)
  t.after(() => rmSync(directory, { recursive: true }))
  await end(child, 'SIGKILL')
  await gone([machine])
  // Another suite of this host may have done it already.
  Wire.make(t)
  await gone([program])
  assert.deepEqual(namespaces(child.pid), [])
})
