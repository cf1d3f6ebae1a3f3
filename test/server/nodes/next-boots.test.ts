import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NextBoots, type StoredNextBoot } from '../../../server/nodes/next-boots.js'
import { noFailures, toldFailures } from '../../support/failures.js'

const canary = { from: 'network' as const, profile: ['canary'] }
const [mac, boot, other] = ['52:54:00:00:00:01', '00112233445566aa', '00112233445566bb']

/** Next boots of the node rig1 with this MAC, and what was written of them. */
function place(stored: readonly StoredNextBoot[] = [], failures = noFailures()) {
  const saved: (string | null)[] = []
  let isDiskFull = false
  const nextBoots = new NextBoots({
    stored,
    namesOf: (id) => (id === mac ? [mac, 'rig1'] : id === 'rig1' ? ['rig1', mac] : [id]),
    save: async (state) => {
      if (isDiskFull) throw new Error('disk full')
      saved.push(state.boot)
    },
    failures,
  })
  const fill = (full: boolean) => {
    isDiskFull = full
  }
  return { nextBoots, saved, fill }
}

test('it waits, one boot takes it with all its tries, and the next one boots as always', async () => {
  const { nextBoots, saved } = place()
  nextBoots.set('rig1', canary, 5)
  assert.equal(nextBoots.waiting(mac), canary)
  assert.equal(await nextBoots.take('52:54:00:00:00:02'), undefined)
  nextBoots.ipxeStarted(mac)
  assert.deepEqual([await nextBoots.take(mac), await nextBoots.take(mac)], [canary, canary])
  assert.equal(nextBoots.waiting('rig1'), undefined)
  assert.deepEqual(nextBoots.ofManifest('rig1', boot, 9), { nextBoot: canary, isTaken: false })
  assert.deepEqual(nextBoots.ofManifest('rig1', boot, 9), { nextBoot: canary, isTaken: false })
  nextBoots.ipxeStarted(mac)
  assert.deepEqual([nextBoots.ofScript(mac), await nextBoots.take(mac)], [undefined, undefined])
  assert.equal(nextBoots.ofManifest('rig1', other, 10), undefined)
  assert.deepEqual(saved, ['', boot, null])
})

test('what is set or taken back under one name of a node holds for the other, also on the disk', () => {
  const stored = { node: mac, nextBoot: canary, setMs: 5, boot: null }
  const { nextBoots, saved } = place([stored])
  nextBoots.set('rig1', { from: 'disk', profile: [] }, 6)
  assert.deepEqual(
    [nextBoots.waiting(mac)?.from, nextBoots.ofScript(mac)?.from, saved],
    ['disk', 'disk', [null]],
  )
  nextBoots.set('rig1', undefined, 7)
  assert.equal(nextBoots.waiting(mac), undefined)
})

test('a machine that starts anew before its agent runs has used it up', async () => {
  const { nextBoots } = place()
  nextBoots.set(mac, canary, 5)
  await nextBoots.take(mac)
  nextBoots.ipxeStarted(mac)
  assert.equal(await nextBoots.take(mac), undefined)
  assert.equal(nextBoots.ofManifest('rig1', boot, 9), undefined)
})

test('a boot without a script from here takes it with its manifest, but not one that ran before it was set', () => {
  const { nextBoots } = place()
  nextBoots.set('rig1', canary, 5)
  assert.equal(nextBoots.ofManifest('rig1', boot, 4), undefined)
  assert.equal(nextBoots.ofManifest('rig1', '', 6), undefined)
  assert.deepEqual(nextBoots.ofManifest('rig1', other, 6), { nextBoot: canary, isTaken: true })
  nextBoots.completed('rig1', boot)
  assert.ok(nextBoots.ofManifest('rig1', other, 6) !== undefined)
  nextBoots.completed('rig1', other)
  assert.equal(nextBoots.ofManifest('rig1', other, 6), undefined)
})

test('another boot than the one that took it has used it up, also after a restart of the server', () => {
  const stored = { node: 'rig1', nextBoot: canary, setMs: 5 }
  const taken = place([{ ...stored, boot }])
  assert.equal(taken.nextBoots.waiting('rig1'), undefined)
  assert.ok(taken.nextBoots.ofManifest(mac, boot, 6) !== undefined)
  assert.equal(taken.nextBoots.ofManifest(mac, other, 6), undefined)
  assert.equal(taken.nextBoots.ofManifest(mac, boot, 6), undefined)
  assert.equal(place([{ ...stored, boot: null }]).nextBoots.waiting('rig1'), canary)
})

test('what cannot be written is not taken; what is set meanwhile waits', async () => {
  const told = toldFailures()
  const { nextBoots, fill } = place([], told.failures)
  nextBoots.set(mac, canary, 5)
  fill(true)
  assert.equal(await nextBoots.take(mac), undefined)
  assert.equal(nextBoots.waiting(mac), canary)
  assert.match(told.said[0] ?? '', /noting next boots failed/)
  fill(false)
  const taking = nextBoots.take(mac)
  nextBoots.set(mac, { from: 'disk', profile: [] }, 6)
  assert.equal(await taking, canary)
  assert.equal(nextBoots.waiting(mac)?.from, 'disk')
  nextBoots.set(mac, undefined, 7)
  assert.equal(await nextBoots.take(mac), undefined)
})
