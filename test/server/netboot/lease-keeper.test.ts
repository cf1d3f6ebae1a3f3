import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { LeaseKeeper } from '../../../server/netboot/lease-keeper.js'
import type { Lease, LeaseChange } from '../../../src/dhcp-lease.js'
import { toldFailures } from '../../support/failures.js'

const lease = (address: number, expiresMs = 1): Lease => ({ address, mac: '52:54:00:00:00:01', expiresMs })
const put = (address: number, expiresMs?: number): LeaseChange => ({
  address,
  lease: lease(address, expiresMs),
})

test('leases are written one transaction after the other, tried again while that fails, and listed all the same', async () => {
  const stored = new Map<number, Lease>([[9, lease(9)]])
  const saves: { changes: readonly LeaseChange[]; end(error?: Error): void }[] = []
  const { failures, said } = toldFailures()
  let timer: { ms: number; run: () => void } | undefined
  const keeper = new LeaseKeeper({
    list: () => [...stored.values()],
    save: (changes) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => {
          if (error !== undefined) return reject(error)
          for (const { address, lease } of changes) {
            if (lease === undefined) stored.delete(address)
            else stored.set(address, lease)
          }
          resolve()
        }
        saves.push({ changes, end })
      }),
    after: (ms, run) => {
      timer = { ms, run }
      return () => {
        timer = undefined
      }
    },
    failures,
  })
  const end = async (error?: Error) => {
    saves.at(-1)?.end(error)
    await setImmediate()
  }
  keeper.keep([put(1)])
  keeper.keep([put(2), put(1, 5)])
  assert.deepEqual(saves[0]?.changes, [put(1)])
  await end()
  assert.deepEqual(saves[1]?.changes, [put(2), put(1, 5)])
  keeper.keep([{ address: 9, lease: undefined }])
  await end(new Error('full'))
  assert.deepEqual(keeper.list(), [lease(1, 5), lease(2)], 'as DHCP knows them')
  for (const ms of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
    assert.equal(timer?.ms, ms)
    timer?.run()
    await end(new Error('full'))
  }
  timer?.run()
  await end()
  assert.deepEqual([...stored.values()], [lease(1, 5), lease(2)])
  assert.deepEqual(said, ['saving DHCP leases failed, trying again: full', 'saving DHCP leases works again'])
  keeper.keep([put(3)])
  const stopped = keeper.stop()
  keeper.keep([put(4)])
  await end()
  await end()
  await stopped
  assert.ok(stored.has(3) && stored.has(4))
})
