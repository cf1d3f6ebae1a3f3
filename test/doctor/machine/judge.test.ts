import assert from 'node:assert/strict'
import { test } from 'node:test'
import { machineCheck } from '../../../doctor/machine/check.js'
import type { MachineFacts } from '../../../doctor/machine/facts.js'
import { gatherMachine } from '../../../doctor/machine/gather.js'
import { judgeMachine } from '../../../doctor/machine/judge.js'
import { scratch } from '../../support/scratch.js'
import { makeSite } from '../support-site.js'

const nowMs = Date.UTC(2026, 11, 1)
const disk = { path: '/srv', freeBytes: 50e9, freeInodes: 1e6, hasInodes: true, device: 1 }
/** As a Debian 12 server with 8 GB says them. */
const healthy: MachineFacts = {
  artifactsBytes: 130e6,
  artifactsDisk: disk,
  dataDisk: disk,
  memoryBytes: 6e9,
  filesMax: 1_048_576,
  inotifyWatchesMax: 65_536,
  inotifyInstancesMax: 128,
  receiveBytesMax: 4_194_304,
  conntrack: { max: 65_536, count: 100 },
  neighboursMax: 1024,
  newestFileMs: nowMs - 1000,
  isClockSynced: true,
}
const judge = (more: Partial<MachineFacts>, now = nowMs) =>
  judgeMachine({ ...healthy, ...more }, { nowMs: now }).map(({ code }) => code)

test('a healthy server has nothing; each want is found by itself', () => {
  assert.deepEqual(judge({}), [])
  assert.deepEqual(
    judge({ dataDisk: { ...disk, freeBytes: 1e8 }, artifactsDisk: { ...disk, freeBytes: 1e8 } }),
    ['DISK_LOW'],
  )
  assert.deepEqual(judge({ dataDisk: { ...disk, freeInodes: 3 } }), ['DISK_LOW'])
  // btrfs counts no inodes.
  assert.deepEqual(judge({ dataDisk: { ...disk, freeInodes: 0, hasInodes: false } }), [])
  assert.deepEqual(judge({ memoryBytes: 300e6 }), ['MEMORY_LOW'])
  assert.deepEqual(judge({ filesMax: 1024 }), ['FILES_LIMIT'])
  assert.deepEqual(judge({ inotifyWatchesMax: 8 }), ['INOTIFY_LOW'])
  // Debian's default.
  assert.deepEqual(judge({ receiveBytesMax: 212_992 }), ['RECEIVE_BUFFER_SMALL'])
  assert.deepEqual(judge({ conntrack: { max: 4096, count: 0 } }), ['CONNTRACK_SMALL'])
  assert.deepEqual(judge({ conntrack: { max: 65_536, count: 60_000 } }), ['CONNTRACK_SMALL'])
  assert.deepEqual(judge({ neighboursMax: 512 }), ['NEIGHBOURS_SMALL'])
  assert.deepEqual(judge({ isClockSynced: false }), ['CLOCK_UNSYNCED'])
})

test('a clock that is wrong: before the release, or before what the server wrote', () => {
  assert.deepEqual(judge({}, Date.UTC(2020, 0, 1)), ['CLOCK_WRONG'])
  assert.deepEqual(judge({ newestFileMs: nowMs + 3 * 86_400_000 }), ['CLOCK_WRONG'])
})

test('what this machine says is read', async (t) => {
  const site = makeSite()
  const dir = scratch(t)
  const { facts } = await gatherMachine({
    ...site,
    config: { ...site.config, data_dir: `${dir}/not/there/yet`, artifacts_dir: dir },
  })
  assert.ok((facts?.dataDisk?.freeBytes ?? 0) > 0 && facts?.dataDisk?.path === dir)
  assert.ok((facts?.memoryBytes ?? 0) > 1e7 && (facts?.receiveBytesMax ?? 0) > 1000)
  assert.equal((await machineCheck.run(site)).name, 'machine')
})
