import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isForgotten } from '../../../server/swarm/boot-again.js'

const known = { boot: '0011223344556677', address: '10.0.0.2', isLastThere: true }

test('the address of a node that boots again is forgotten, and no other', () => {
  const next = '8899aabbccddeeff'
  assert.equal(isForgotten(next, '10.0.0.2', known), true)
  // Its first event came before its manifest, or it asks once more.
  assert.equal(isForgotten(known.boot, '10.0.0.2', known), false)
  // An agent that names no boot, a node that was never seen.
  assert.equal(isForgotten('', '10.0.0.2', known), false)
  assert.equal(isForgotten(next, '10.0.0.2', undefined), false)
  // Another node was heard there since: behind a NAT, or with the address of a lease that ran out.
  assert.equal(isForgotten(next, '10.0.0.2', { ...known, isLastThere: false }), false)
})

test('who asks in the name of a node elsewhere has nothing forgotten, neither there nor here', () => {
  assert.equal(isForgotten('8899aabbccddeeff', '10.0.0.9', known), false)
})
