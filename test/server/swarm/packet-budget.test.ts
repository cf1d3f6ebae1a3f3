import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PacketBudget } from '../../../server/swarm/packet-budget.js'

const taken = (budget: PacketBudget, address: string, count: number, nowMs = 0): number => {
  let read = 0
  for (let i = 0; i < count; i++) read += Number(budget.take(address, nowMs))
  return read
}

test('one address may have three quarters, and others that send little find the rest', () => {
  const budget = new PacketBudget(400)
  assert.equal(taken(budget, 'flood', 1_000), 300)
  assert.equal(taken(budget, 'modest', 50), 50)
  assert.equal(taken(budget, 'modest', 50), 0)
  assert.equal(taken(budget, 'other', 100), 50)
  assert.equal(taken(budget, 'flood', 1_000), 0)
  assert.equal(taken(budget, 'flood', 1_000, 60_000), 300)
})

test('a thousand addresses together stay within the rate of all', () => {
  const budget = new PacketBudget(400)
  let read = 0
  for (let i = 0; i < 1_000; i++) read += taken(budget, `10.0.${i >> 8}.${i & 255}`, 5)
  assert.equal(read, 400)
})
