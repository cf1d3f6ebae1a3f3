/** Real machines from the kernel's start to the root file system, through the stage 1 that `image stage1` makes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STAGE1_BUDGET_BYTES } from '../../src/limits.js'
import { machineHangMs } from '../support/limits.js'
import { Stage1Site } from '../support/stage1.js'

const limit = { timeout: machineHangMs }
const settings = 'plugin=here pool=pool\\.example:3333'

test('a root file system in an archive', { ...limit, concurrency: 2 }, async (t) => {
  const site = await Stage1Site.make(t)
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  const { kernel, stage1, warnings } = site.report

  const budget = t.test('kernel and stage 1 stay within what the server’s link is given for them', () => {
    assert.ok(kernel.bytes + stage1.bytes <= STAGE1_BUDGET_BYTES, `${kernel.bytes} + ${stage1.bytes}`)
    assert.deepEqual(warnings, [])
  })

  const enters = t.test('is unpacked into memory and entered; the agent lives on', async () => {
    const words = 'console=tty0 console=ttyS0 bootswarm.break=switch'
    const machine = site.boot(t, { mac: '52:54:00:00:00:01', words })
    // A switch port that is not forwarding yet.
    site.place.wire.server('ip', 'link', 'set', 'tap01', 'nomaster')
    await machine.says(/no answer from a DHCP server at eth0 for \d+ s/)
    site.place.wire.server('ip', 'link', 'set', 'tap01', 'master', 'lan0')
    await machine.says(/bootswarm\.break=switch: exit goes on.*#/)
    machine.types('echo 1st-$(cat /sysroot/etc/hostname)-2nd')
    await machine.says(/1st-node-525400000001-2nd/)
    machine.types('exit')
    await machine.says(
      new RegExp(`ROOT-IS-UP host=node-525400000001 fs=tmpfs agents=1 swaps=0 ${settings} bulk=1000000\\.`),
    )
  })

  const stops = t.test('is not entered when something is wrong; a shell opens with the reason', async () => {
    const machine = site.boot(t, { mac: '52:54:00:00:00:02', words: 'bootswarm.port=none', card: 'e1000' })
    await machine.says(
      /CONFIG_INVALID: bootswarm\.port: not a number.*STOPPED: the agent ended with exit code 1.*#/,
    )
    machine.types('exit')
    await machine.says(/trying again.*CONFIG_INVALID.*STOPPED/)
  })
  await Promise.all([budget, enters, stops])
})

test('a root file system in a squashfs', { ...limit, concurrency: 2 }, async (t) => {
  const site = await Stage1Site.make(t, { squashfs: true })
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  await t.test('is mounted below an overlay, with plugins over it', async () => {
    const machine = site.boot(t, {
      mac: '52:54:00:00:00:03',
      card: 'e1000e',
      words: 'ip=10.77.0.55::10.77.0.1:255.255.255.0',
    })
    await machine.says(/address 10\.77\.0\.55\/255\.255\.255\.0 from the kernel command line/)
    await machine.says(new RegExp(`ROOT-IS-UP \\S+ fs=overlay agents=1 swaps=0 ${settings} bulk=1000000\\.`))
  })
})

test('a root file system larger than memory, with compressed memory', limit, async (t) => {
  const site = await Stage1Site.make(t, { bulkBytes: 150_000_000 })
  if (site === undefined) return t.skip('NOT TESTED: needs root')
  const machine = site.boot(t, { mac: '52:54:00:00:00:04', words: 'bootswarm.root=zram', memoryMb: 176 })
  await machine.says(new RegExp(`ROOT-IS-UP \\S+ fs=tmpfs agents=1 swaps=1 ${settings} bulk=150000000\\.`))
})
