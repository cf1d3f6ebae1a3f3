import assert from 'node:assert/strict'
import { test } from 'node:test'
import Sqlite from 'better-sqlite3'
import { leaseTable, leaseWriter } from '../../../server/store/leases.js'
import { migrate } from '../../../server/store/schema.js'
import type { Lease } from '../../../src/dhcp-lease.js'

function table(leasesMax?: number) {
  const db = new Sqlite(':memory:')
  migrate(db)
  return { change: leaseWriter(db, leasesMax), list: leaseTable(db).list }
}

const lease = (address: number, expiresMs: number, more: Partial<Lease> = {}): Lease => ({
  address,
  mac: '52:54:00:00:00:01',
  expiresMs,
  ...more,
})
const put = (...leases: Lease[]) => leases.map((each) => ({ address: each.address, lease: each }))

test('leases are kept as they were given, replaced by address and forgotten', () => {
  const leases = table()
  leases.change(put(lease(1, 5), lease(0xffffffff, 6), lease(2, 7)))
  const relayPort = { circuitId: '', remoteId: 'ab' }
  const another = lease(1, 9, { mac: '52:54:00:00:00:02', relayPort })
  const forget = [0xffffffff, 77].map((address) => ({ address, lease: undefined }))
  leases.change([...forget, ...put(another)])
  assert.deepEqual(leases.list(), [another, lease(2, 7)])
})

test('the table is bounded: those that end first go first', () => {
  const leases = table(2)
  leases.change(put(lease(1, 30), lease(2, 10), lease(3, 20)))
  assert.deepEqual(
    leases.list().map(({ address }) => address),
    [1, 3],
  )
})
