import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionTable } from '../../../server/swarm/connections.js'

const max = 64

/** So many connections of one address, numbered from the first on. */
function fill(table: ConnectionTable, first: number, count: number, address: string, nowMs = 0): void {
  for (let id = first; id < first + count; id++)
    assert.deepEqual(table.admit(id, address, nowMs), { ok: true })
}

test('an address holds what nobody else asks for, and gives way', () => {
  const table = new ConnectionTable(max)
  fill(table, 0, max, 'greedy')
  assert.deepEqual(table.admit(100, 'modest', 1), { ok: true, close: 0 })
  assert.deepEqual(table.admit(101, 'greedy', 1), { ok: true, close: 1 })
  assert.equal(table.size, max)
  table.leave(100)
  table.leave(100)
  assert.equal(table.size, max - 1)
})

test('those without a handshake give way first, then those that moved no piece', () => {
  const table = new ConnectionTable(max)
  fill(table, 0, 60, 'honest')
  fill(table, 60, 4, 'silent')
  for (let id = 0; id < 60; id++) table.shaken(id, id)
  for (let id = 0; id < 30; id++) table.moved(id, 100 + id)
  const closed = (id: number) => {
    const admission = table.admit(id, `new${id}`, 1_000)
    table.moved(id, 1_000)
    return admission.ok ? admission.close : 'refused'
  }
  assert.deepEqual([100, 101, 102, 103].map(closed), [60, 61, 62, 63])
  assert.deepEqual([104, 105].map(closed), [30, 31])
})

test('of those that moved pieces lately only the address with most gives way, to one that has fewer', () => {
  const table = new ConnectionTable(max)
  fill(table, 0, 62, 'farm')
  fill(table, 62, 2, 'single')
  for (let id = 0; id < max; id++) table.moved(id, 1_000)
  assert.deepEqual(table.admit(100, 'farm', 2_000), { ok: false })
  assert.deepEqual(table.admit(101, 'single', 2_000), { ok: true, close: 0 })
  table.moved(101, 2_000)
  // Not lately: also to another one of the same address.
  assert.deepEqual(table.admit(102, 'farm', 11_001), { ok: true, close: 1 })
})

test('tells of those whose handshake is late', () => {
  const table = new ConnectionTable(max)
  fill(table, 0, 2, 'a', 0)
  fill(table, 2, 2, 'b', 500)
  table.shaken(0, 600)
  assert.deepEqual(table.unshaken(1_000, 999), [])
  assert.deepEqual(table.unshaken(1_000, 1_000), [1])
  assert.deepEqual(table.unshaken(1_000, 1_500), [1, 2, 3])
})

test('when no descriptor is left it holds no more than it has, and never fewer than 64', () => {
  const table = new ConnectionTable(1_000)
  fill(table, 0, 200, 'a')
  table.moved(0, 0)
  assert.deepEqual(
    table.shrink(),
    Array.from({ length: 16 }, (_, i) => i + 1),
  )
  assert.equal(table.max, 184)
  const admission = table.admit(500, 'b', 0)
  assert.deepEqual(admission, { ok: true, close: 17 })
  for (let id = 0; id < 200; id++) table.leave(id)
  table.shrink()
  assert.equal(table.max, 64)
})
