import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forgottenAddress } from '../../../server/swarm/boot-again.js'

const known = { boot: '0011223344556677', address: '10.0.0.2', isLastThere: true }

test('the address of a node that boots again is forgotten, and no other', () => {
  assert.equal(forgottenAddress('8899aabbccddeeff', known), '10.0.0.2')
  // Its first event came before its manifest, or it asks once more.
  assert.equal(forgottenAddress(known.boot, known), undefined)
  // An agent that names no boot, a node that was never seen.
  assert.equal(forgottenAddress('', known), undefined)
  assert.equal(forgottenAddress('8899aabbccddeeff', undefined), undefined)
  // Another node was heard there since: behind a NAT, or with the address of a lease that ran out.
  assert.equal(forgottenAddress('8899aabbccddeeff', { ...known, isLastThere: false }), undefined)
})
