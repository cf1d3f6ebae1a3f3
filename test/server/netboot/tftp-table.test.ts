import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TableEntry, TransferTable } from '../../../server/netboot/tftp-table.js'

/** A table with so many confirmed transfers of each address. */
function tableOf(total: number, counts: Readonly<Record<string, number>>) {
  const table = new TransferTable<TableEntry>({ total, unconfirmed: total })
  for (const [address, count] of Object.entries(counts)) {
    for (let port = 1; port <= count; port += 1) table.add({ address, port, isConfirmed: true })
  }
  return table
}

test('the address with most makes room for one with fewer, and for nobody as greedy', () => {
  const table = tableOf(6, { a: 4, b: 2 })
  const oldest = { address: 'a', port: 1, isConfirmed: true }
  assert.deepEqual(table.roomFor('c', 0), oldest)
  assert.deepEqual(table.roomFor('b', 0), oldest)
  assert.deepEqual(table.roomFor('a', 0), oldest, 'its own: most likely of before it was switched off and on')
  assert.equal(tableOf(6, { a: 3, b: 3 }).roomFor('c', 0) === 'full', false)
  assert.equal(tableOf(3, { a: 1, b: 1, c: 1 }).roomFor('d', 0), 'full')
})

test('of those that never answered the oldest makes room first', () => {
  const table = tableOf(3, { a: 1, b: 1 })
  const forged = { address: 'c', port: 1, isConfirmed: false }
  table.add(forged)
  assert.equal(table.roomFor('d', 0), forged)
  table.remove(forged)
  assert.equal(table.roomFor('d', 0), undefined)
})

test('without descriptors there is room for fewer, and after a while for all again', () => {
  const table = tableOf(1000, { a: 40 })
  table.shrink(0)
  const ended: TableEntry[] = []
  for (
    let room = table.roomFor('b', 1);
    room !== undefined && room !== 'full';
    room = table.roomFor('b', 1)
  ) {
    ended.push(room)
    table.remove(room)
  }
  assert.deepEqual([table.size, ended.length], [31, 9])
  assert.equal(table.roomFor('b', 59_999), undefined)
  table.add({ address: 'b', port: 1, isConfirmed: true })
  assert.notEqual(table.roomFor('c', 59_999), undefined)
  assert.equal(table.roomFor('c', 60_000), undefined)
})
