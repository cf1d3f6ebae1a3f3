import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairTickets } from '../../../server/http/fair-tickets.js'

test('each address has its first ticket, then each its second', () => {
  const tickets = new FairTickets()
  const taken = (address: string, count: number) => Array.from({ length: count }, () => tickets.take(address))
  assert.deepEqual(taken('greedy', 4), [1, 2, 3, 4])
  assert.deepEqual(taken('one', 1), [2])
  assert.deepEqual(taken('other', 2), [3, 5])
  assert.deepEqual(taken('one', 1), [6])
  assert.deepEqual(taken('greedy', 1), [9])
  assert.equal(tickets.size, 9)
  tickets.clear()
  assert.deepEqual(taken('greedy', 2), [1, 2])
})

test('one address alone is numbered through: hundreds of nodes may share it', () => {
  const tickets = new FairTickets()
  for (let n = 1; n <= 500; n += 1) assert.equal(tickets.take('nat'), n)
})

test('bounded: neither an address nor any number of addresses takes memory for ever', () => {
  const tickets = new FairTickets()
  for (let n = 0; n < 10_000; n += 1) tickets.take('greedy')
  assert.equal(tickets.size, 4_096)
  for (let n = 0; n < 10_000; n += 1) tickets.take(`10.0.${n >> 8}.${n & 255}`)
  assert.ok(tickets.size <= 2 * 4_096)
})
