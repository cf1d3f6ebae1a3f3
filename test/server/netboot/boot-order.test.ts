import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { checkout } from '../../support/scratch.js'
import { NetbootSite } from './support.js'

const run = promisify(execFile)
const nodes = 24

/** When each of the nodes has kernel and stage 1 over a link of 80 Mbit/s, sorted, milliseconds. */
async function storm(t: TestContext, loadsMax: number): Promise<number[] | undefined> {
  const place = NetbootSite.make(t, `{mode: off, loads_max: ${loadsMax}}`)
  if (place === undefined) return undefined
  const { site, wire } = place
  writeFileSync(site.artifact('boot/vmlinuz'), randomBytes(900_000))
  writeFileSync(site.artifact('boot/stage1'), randomBytes(100_000))
  wire.client('a', '52:54:00:00:00:01')
  wire.run('a', 'ip', 'address', 'add', '10.77.0.20/24', 'dev', 'eth0')
  const shape = ['rate', '80mbit', 'burst', '64kb', 'latency', '100ms']
  wire.server('tc', 'qdisc', 'add', 'dev', 'p-a', 'root', 'tbf', ...shape)
  const daemon = await place.start()
  await daemon.line('catalog.published')
  const script = join(checkout, 'dist/test/support/boot-clients.js')
  const url = `http://10.77.0.1:${daemon.ports().http}`
  const [program = '', ...args] = wire.command('a', process.execPath, script, url, String(nodes))
  const { stdout } = await run(program, args, { timeout: 60_000 })
  await daemon.kill('SIGTERM')
  return (JSON.parse(stdout) as number[]).sort((a, b) => a - b)
}

test('with the queue the first nodes are done earlier, and the last no later', async (t) => {
  const queued = await storm(t, 4)
  const together = await storm(t, nodes)
  if (queued === undefined || together === undefined) return t.skip('NOT TESTED: needs root')
  const at = (share: number) => [queued, together].map((done) => done[Math.floor((nodes - 1) * share)] ?? 0)
  const [[quarter = 0, quarterTogether = 0], [median = 0, medianTogether = 0], [last = 0, lastTogether = 0]] =
    [at(0.25), at(0.5), at(1)]
  const figures = `queued ${quarter}, ${median}, ${last} ms; all together ${quarterTogether}, ${medianTogether}, ${lastTogether} ms`
  t.diagnostic(figures)
  assert.ok(quarter <= quarterTogether * 0.75, figures)
  assert.ok(median <= medianTogether * 0.9, figures)
  assert.ok(last <= lastTogether * 1.25, figures)
})
