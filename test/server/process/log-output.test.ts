/** The log of a real process whose standard output is a full disk, a reader that stands still, or closed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { hangMs } from '../../support/limits.js'

const module = JSON.stringify(new URL('../../../server/process/log.js', import.meta.url).href)

/** Logs so many lines, says so on standard error, and ends when its input does. */
const program = (lines: number) => `
  import { createLog } from ${module}
  const isTerminal = process.stdout.isTTY === true
  const log = createLog({ level: 'info', format: 'json', isTerminal })
  for (let n = 0; n < ${lines}; n += 1) log.info({ n, pad: 'x'.repeat(200) }, 'line')
  process.stderr.write('logged\\n')
  process.stdin.resume().on('end', () => {
    log.info('last')
    process.exit(0)
  })`

function start(t: TestContext, lines: number, stdout: number | 'pipe') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(lines)], {
    stdio: ['pipe', stdout, 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  return { child, exited: once(child, 'close'), logged: once(child.stderr as NodeJS.ReadableStream, 'data') }
}

test('a log on a full disk does not end the process', { timeout: hangMs }, async (t) => {
  const full = openSync('/dev/full', 'w')
  const { child, exited, logged } = start(t, 1000, full)
  closeSync(full)
  assert.equal(String(await logged), 'logged\n')
  child.stdin?.end()
  assert.deepEqual(await exited, [0, null])
})

test('a reader that has gone away does not end the process', { timeout: hangMs }, async (t) => {
  const { child, exited, logged } = start(t, 10_000, 'pipe')
  child.stdout?.destroy()
  assert.equal(String(await logged), 'logged\n')
  child.stdin?.end()
  assert.deepEqual(await exited, [0, null])
})

test('a reader that stands still does not stop the process: it gets whole lines, and how many were lost', {
  timeout: hangMs,
}, async (t) => {
  const { child, exited, logged } = start(t, 20_000, 'pipe')
  // Five megabytes were logged, and nobody has read one of them.
  assert.equal(String(await logged), 'logged\n')
  const read = text(child.stdout as NodeJS.ReadableStream)
  child.stdin?.end()
  assert.deepEqual(await exited, [0, null])
  const lines = (await read)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { n?: number; lines?: number; event?: string })
  const written = lines.filter(({ n }) => n !== undefined)
  const lost = lines.reduce((sum, line) => sum + (line.event === 'log.lost' ? (line.lines ?? 0) : 0), 0)
  assert.deepEqual(
    written.map(({ n }) => n),
    written.map((_, index) => index),
    'the first ones, in order',
  )
  assert.ok(lost > 0)
  assert.equal(
    written.length + lost,
    20_000 + (lines.some((line) => 'msg' in line && line.msg === 'last') ? 0 : 1),
  )
})
