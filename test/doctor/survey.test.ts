import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { surveySite } from '../../doctor/survey.js'
import { configSchema } from '../../src/config.js'
import { scratch } from '../support/scratch.js'

/** What the doctor takes from a server that answers so. */
async function survey(t: TestContext, status: string) {
  const dataDir = scratch(t)
  const server = createServer((_request, response) => response.end(status)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  mkdirSync(join(dataDir, 'run'))
  writeFileSync(join(dataDir, 'run', 'ports.json'), JSON.stringify({ pid: process.pid, http: port }))
  const config = configSchema.parse({ data_dir: dataDir })
  return surveySite({ config, only: undefined, timeoutMs: 200 })
}

test('a running server is asked for its mode and its largest rack; an older one or nonsense tells less', async (t) => {
  const rack = { name: '10.77.0.0/24', nodes: 240 }
  const full = await survey(t, JSON.stringify({ netboot: { mode: 'off' }, largest_rack: rack }))
  assert.deepEqual([full.mode, full.largestRack], ['off', rack])
  for (const [status, mode] of [
    ['{"netboot": {"mode": "full"}}', 'full'],
    ['{"netboot": {"mode": "full"}, "largest_rack": null}', 'full'],
    ['{"netboot": {"mode": "loud"}, "largest_rack": {"name": 7, "nodes": 9}}', 'proxy'],
    ['[]', 'proxy'],
    ['null', 'proxy'],
    ['not JSON', 'proxy'],
  ] as const) {
    const { mode: found, largestRack } = await survey(t, status)
    assert.deepEqual([found, largestRack], [mode, undefined], status)
  }
})
