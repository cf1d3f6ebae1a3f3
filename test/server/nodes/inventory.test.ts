import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inventory } from '../../../server/nodes/inventory.js'
import { type NodeRecord, newNode } from '../../../server/nodes/state.js'

const limits = { knownMax: 8, unknownMax: 6, perAddressMax: 4, silentMs: 1000 }

function inventory() {
  const nodes = new Inventory(limits)
  let nowMs = 0
  const put = (id: string, address: string, more: Partial<NodeRecord> = {}, isNamed = false) => {
    nowMs += 1
    return nodes.put({ ...newNode(id, 'r', id, address, 0), lastSeenMs: nowMs, ...more }, isNamed)
  }
  const ids = () => nodes.list().map(({ id }) => id)
  return { nodes, put, ids, later: (ms: number) => (nowMs += ms) }
}

test('unknown nodes of one address push out one another, the longest silent first', () => {
  const { put, ids } = inventory()
  for (const id of ['a', 'b', 'c', 'd']) assert.deepEqual(put(id, '10.0.0.1'), [])
  assert.deepEqual(put('a', '10.0.0.1'), [], 'it is there')
  assert.deepEqual(put('e', '10.0.0.1'), ['b'])
  assert.deepEqual(ids(), ['c', 'd', 'a', 'e'])
})

test('in all, the address with most unknown nodes loses one: a flood costs the others nothing', () => {
  const { put, ids } = inventory()
  assert.deepEqual(put('honest-1', '10.0.0.1'), [])
  assert.deepEqual(put('honest-2', '10.0.0.2'), [])
  for (let n = 0; n < 100; n += 1) put(`x-${n}`, '10.0.0.8')
  for (let n = 0; n < 100; n += 1) put(`y-${n}`, '10.0.0.9')
  assert.equal(ids().length, limits.unknownMax)
  assert.ok(ids().includes('honest-1') && ids().includes('honest-2'))
  // Where each address has one, the longest silent goes.
  const alone = inventory()
  for (let n = 0; n < 10; n += 1) alone.put(`n-${n}`, `10.0.0.${n}`)
  assert.deepEqual(alone.ids(), ['n-4', 'n-5', 'n-6', 'n-7', 'n-8', 'n-9'])
})

test('a node that has booted or is named is known, and no unknown one pushes it out', () => {
  const { nodes, put, ids } = inventory()
  put('booted', '10.0.0.1', { hasBooted: true })
  put('named', '10.0.0.1', {}, true)
  for (let n = 0; n < 1000; n += 1) put(`x-${n}`, `10.0.1.${n % 200}`)
  assert.ok(nodes.isKnown('booted') && nodes.isKnown('named'))
  assert.equal(ids().length, 2 + limits.unknownMax)
  // It stays known in its next boot, of which the record says nothing.
  put('booted', '10.0.0.3')
  assert.ok(nodes.isKnown('booted'))
})

test('whoever pretends to boot under many names takes a bounded part of the known ones', () => {
  const { nodes, put } = inventory()
  for (let n = 0; n < 100; n += 1) put(`fake-${n}`, '10.0.0.9', { hasBooted: true })
  const known = () => nodes.list().filter(({ id }) => nodes.isKnown(id)).length
  assert.equal(known(), limits.perAddressMax)
  for (let n = 0; n < 4; n += 1) put(`farm-${n}`, `10.0.0.${n}`, { hasBooted: true })
  assert.equal(known(), limits.knownMax)
  assert.ok(nodes.isKnown('farm-3'))
})

test('a few addresses that pretend to boot under many names do not keep others from becoming known', () => {
  const { nodes, put } = inventory()
  for (let n = 0; n < 100; n += 1) put(`fake-${n}`, `10.0.0.${100 + (n % 2)}`, { hasBooted: true })
  for (let n = 0; n < 6; n += 1) {
    assert.equal(put(`farm-${n}`, `10.0.0.${n}`, { hasBooted: true }).length, 1)
    assert.ok(nodes.isKnown(`farm-${n}`), `${n}`)
  }
  // Where each address has as many, nobody gives way.
  for (let n = 0; n < 100; n += 1) put(`more-${n}`, `10.0.0.${100 + (n % 50)}`, { hasBooted: true })
  for (let n = 0; n < 6; n += 1) assert.ok(nodes.isKnown(`farm-${n}`), `${n}`)
})

test('a known node makes room for another one when it has been silent for long', () => {
  const { nodes, put, later } = inventory()
  for (let n = 0; n < 8; n += 1) put(`old-${n}`, `10.0.0.${n}`, { hasBooted: true })
  assert.deepEqual(put('new', '10.0.0.100', { hasBooted: true }), [])
  assert.ok(!nodes.isKnown('new'), 'it is remembered as an unknown one meanwhile')
  later(1000)
  assert.deepEqual(put('new', '10.0.0.100', { hasBooted: true }), ['old-0'])
  assert.ok(nodes.isKnown('new'))
})

test('the node at an address is the one that was heard of last', () => {
  const { nodes, put } = inventory()
  put('a', '10.0.0.1')
  put('b', '10.0.0.1', { hasBooted: true })
  assert.equal(nodes.idAt('10.0.0.1'), 'b')
  put('b', '10.0.0.2')
  assert.equal(nodes.idAt('10.0.0.1'), undefined)
  assert.equal(nodes.idAt('10.0.0.2'), 'b')
  nodes.replace({ ...newNode('a', 'r', 'a', '10.0.0.1', 0), state: 'lost' })
  assert.equal(nodes.get('a')?.state, 'lost')
  assert.equal(nodes.idAt('10.0.0.1'), undefined, 'it was not heard of')
})
