import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { Loaded } from '../../support/boot-clients.js'
import { hangMs } from '../../support/limits.js'
import { checkout } from '../../support/scratch.js'
import { NetbootSite } from './support.js'

const run = promisify(execFile)
const nodes = 24

const kernelBytes = 900_000
const stage1Bytes = 100_000

/** The nodes in the order in which they have kernel and stage 1, over a link of 80 Mbit/s. */
async function storm(t: TestContext, loadsMax: number): Promise<Loaded[] | undefined> {
  const place = NetbootSite.make(t, `{mode: off, loads_max: ${loadsMax}}`)
  if (place === undefined) return undefined
  const { site, wire } = place
  writeFileSync(site.artifact('boot/vmlinuz'), randomBytes(kernelBytes))
  writeFileSync(site.artifact('boot/stage1'), randomBytes(stage1Bytes))
  wire.client('a', '52:54:00:00:00:01')
  wire.run('a', 'ip', 'address', 'add', '10.77.0.20/24', 'dev', 'eth0')
  const shape = ['rate', '80mbit', 'burst', '64kb', 'latency', '100ms']
  wire.server('tc', 'qdisc', 'add', 'dev', 'p-a', 'root', 'tbf', ...shape)
  const daemon = await place.start()
  await daemon.line('catalog.published')
  const script = join(checkout, 'dist/test/support/boot-clients.js')
  const url = `http://10.77.0.1:${daemon.ports().http}`
  const [program = '', ...args] = wire.command('a', process.execPath, script, url, String(nodes))
  const { stdout } = await run(program, args, { timeout: hangMs })
  await daemon.kill('SIGTERM')
  const loaded = JSON.parse(stdout) as Loaded[]
  const last = loaded.at(-1)
  assert.deepEqual([loaded.length, last?.bytesOfAll], [nodes, nodes * (kernelBytes + stage1Bytes)])
  return loaded
}

// Counted in bytes, which a slow machine does not change: what was sent when a node was done, is what it waited for.
test('with the queue the link carries the first nodes and few others, so that these are done earlier', async (t) => {
  const loadsMax = 4
  const queued = await storm(t, loadsMax)
  const together = await storm(t, nodes)
  if (queued === undefined || together === undefined) return t.skip('NOT TESTED: needs root')
  for (const share of [0.25, 0.5, 1]) {
    const at = Math.floor((nodes - 1) * share)
    const of = ({ ms = 0, bytesOfAll = 0 }: Partial<Loaded> = {}) => `${ms} ms, ${bytesOfAll} bytes`
    t.diagnostic(`${share * 100} %: queued ${of(queued[at])}; all together ${of(together[at])}`)
  }
  for (const [index, { bytesOfAll }] of queued.entries()) {
    const most = Math.min(nodes, index + loadsMax) * (kernelBytes + stage1Bytes)
    assert.ok(
      bytesOfAll <= most,
      `node ${index + 1}: ${bytesOfAll} bytes had been sent, ${most} are admitted`,
    )
  }
})
