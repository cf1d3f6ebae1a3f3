/** Real keys and certificates as the server makes them, judged at several times. */
import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { identityCheck } from '../../../doctor/identity/check.js'
import { ensureIdentity } from '../../../server/identity/identity.js'
import { scratch } from '../../support/scratch.js'
import { makeSite } from '../support-site.js'

const madeMs = Date.UTC(2026, 11, 1)
const dayMs = 86_400_000

test('fresh keys are fine; open ones, an old certificate, and one for another address are found', async (t) => {
  const dir = scratch(t)
  await ensureIdentity({ dataDir: dir, site: 'test', addresses: ['10.77.0.1'], nowMs: madeMs })
  const judge = async (nowMs: number, address = '10.77.0.1', isRunning = false) => {
    const site = makeSite('', { nowMs })
    const running = { pid: process.pid, ports: { http: 1, https: 2, seeder: 3, dht: 4, operators: 5 } }
    const { findings } = await identityCheck.run({
      ...site,
      config: { ...site.config, data_dir: dir, address },
      server: isRunning ? running : undefined,
    })
    return findings.map(({ code, severity }) => `${severity} ${code}`)
  }
  assert.deepEqual(await judge(madeMs, '10.77.0.1', true), [])
  assert.deepEqual(await judge(madeMs, '10.77.0.2', true), ['stops CERTIFICATE_OTHER_ADDRESS'])
  // The server makes a new one when it starts.
  assert.deepEqual(await judge(madeMs, '10.77.0.2'), [])
  assert.deepEqual(await judge(madeMs + 700 * dayMs), ['hurts CERTIFICATE_ENDS'])
  assert.deepEqual(await judge(madeMs + 800 * dayMs, '10.77.0.1', true), ['stops CERTIFICATE_ENDS'])
  assert.deepEqual(await judge(madeMs + 31 * 365 * dayMs), [
    'hurts CERTIFICATE_ENDS',
    'stops CERTIFICATE_ENDS',
  ])
  chmodSync(join(dir, 'keys', 'manifest.key'), 0o640)
  chmodSync(dir, 0o777)
  assert.deepEqual(await judge(madeMs), ['stops KEY_PERMISSIONS', 'hurts DATA_DIR_OPEN'])
})
