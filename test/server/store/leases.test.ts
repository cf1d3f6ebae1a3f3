import assert from 'node:assert/strict'
import { test } from 'node:test'
import Sqlite from 'better-sqlite3'
import { type LeaseRecord, leaseTable } from '../../../server/store/leases.js'
import { migrate } from '../../../server/store/schema.js'

function table(leasesMax?: number) {
  const db = new Sqlite(':memory:')
  migrate(db)
  return leaseTable(db, leasesMax)
}

const lease = (address: number, expiresMs: number, mac = '52:54:00:00:00:01'): LeaseRecord => ({
  address,
  mac,
  expiresMs,
  circuitId: '',
  remoteId: 'ab',
})

test('leases are kept, replaced by address and forgotten', () => {
  const leases = table()
  leases.change([lease(1, 5), lease(0xffffffff, 6)], [])
  leases.change([lease(1, 9, '52:54:00:00:00:02')], [0xffffffff, 77])
  assert.deepEqual(leases.list(), [lease(1, 9, '52:54:00:00:00:02')])
})

test('the table is bounded: those that end first go first', () => {
  const leases = table(2)
  leases.change([lease(1, 30), lease(2, 10), lease(3, 20)], [])
  assert.deepEqual(
    leases.list().map(({ address }) => address),
    [1, 3],
  )
})
