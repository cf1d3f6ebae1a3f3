import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressQueues } from '../../src/address-queues.js'

function fill(items: Record<string, number[]>): AddressQueues<number> {
  const queues = new AddressQueues<number>()
  for (const [address, numbers] of Object.entries(items))
    for (const item of numbers) queues.add(address, item)
  return queues
}

test('takes one of each address in turn, of each the oldest first', () => {
  const queues = fill({ many: [1, 2, 3, 4, 5], two: [6, 7], one: [8] })
  assert.equal(queues.size, 8)
  assert.deepEqual([queues.take(), queues.take()], [1, 6])
  queues.add('late', 9)
  const rest = Array.from({ length: 8 }, () => queues.take())
  assert.deepEqual(rest, [8, 2, 7, 9, 3, 4, 5, undefined])
  assert.equal(queues.size, 0)
})

test('an item that is added again keeps its place', () => {
  const queues = fill({ a: [1, 2, 1] })
  assert.equal(queues.size, 2)
  assert.deepEqual([queues.take(), queues.take(), queues.take()], [1, 2, undefined])
})

test('knows the oldest of the address with most', () => {
  const queues = fill({ a: [1], b: [2, 3], c: [4] })
  assert.equal(queues.oldestOfLargest(), 2)
  queues.delete('b', 2)
  queues.delete('b', 2)
  queues.delete('nobody', 2)
  assert.deepEqual([queues.size, queues.countOf('b'), queues.countOf('nobody')], [3, 1, 0])
  queues.add('c', 5)
  assert.equal(queues.oldestOfLargest(), 4)
  assert.deepEqual([...queues.of('c')], [4, 5])
  assert.equal(fill({}).oldestOfLargest(), undefined)
})
