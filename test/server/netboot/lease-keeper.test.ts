import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { LeaseKeeper } from '../../../server/netboot/lease-keeper.js'
import { Failures } from '../../../server/process/failures.js'
import type { Lease, LeaseChange } from '../../../src/dhcp-lease.js'
import { until } from '../../support/processes.js'

const lease = (address: number, mac = 'a'): Lease => ({ address, mac, expiresMs: 1 })
const kept = (of: Lease): LeaseChange => ({ address: of.address, lease: of })

/** A keeper whose database can be full. */
function place(t: TestContext) {
  const disk = { isFull: false, saved: new Map<number, Lease>(), tries: 0 }
  const store = {
    change: (changes: readonly LeaseChange[]) => {
      disk.tries += 1
      if (disk.isFull) throw new Error('database or disk is full')
      for (const change of changes) {
        if (change.lease === undefined) disk.saved.delete(change.address)
        else disk.saved.set(change.address, change.lease)
      }
    },
    list: () => [...disk.saved.values()],
  }
  const failures = new Failures({ error: () => {}, info: () => {} }, () => 0)
  const keeper = new LeaseKeeper(store, failures)
  t.after(() => keeper.stop())
  return { disk, keeper, failures }
}

test('leases are saved at once, and forgotten', (t) => {
  const { disk, keeper } = place(t)
  keeper.keep([kept(lease(1)), kept(lease(2))])
  keeper.keep([{ address: 1, lease: undefined }])
  assert.deepEqual([[...disk.saved.keys()], keeper.list()], [[2], [lease(2)]])
})

test('what a full disk refuses is listed all the same, held once for each address, and saved when there is room', async (t) => {
  const { disk, keeper, failures } = place(t)
  keeper.keep([kept(lease(1)), kept(lease(2))])
  disk.isFull = true
  for (let round = 0; round < 1000; round += 1) keeper.keep([kept(lease(2, `b${round}`)), kept(lease(3))])
  keeper.keep([{ address: 1, lease: undefined }])
  assert.deepEqual(keeper.list(), [lease(2, 'b999'), lease(3)])
  assert.equal(disk.tries, 2, 'the disk is not tried at each lease')
  assert.deepEqual(
    failures.list().map(({ part, message }) => [part, message]),
    [['saving DHCP leases', 'database or disk is full']],
  )
  disk.isFull = false
  await until('the rest to be saved', async () => (failures.list().length === 0 ? true : undefined))
  assert.deepEqual([...disk.saved.values()], [lease(2, 'b999'), lease(3)])
})

test('at its end it saves what it can', (t) => {
  const { disk, keeper } = place(t)
  disk.isFull = true
  keeper.keep([kept(lease(1))])
  disk.isFull = false
  keeper.stop()
  assert.deepEqual([...disk.saved.keys()], [1])
})
