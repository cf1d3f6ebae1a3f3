import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultHostname, isNodeId, normalizeMac } from '../../src/node-id.js'

test('MAC addresses in any notation are one identity', () => {
  for (const text of ['52:54:00:AB:cd:ef', '52-54-00-ab-cd-ef', '5254.00ab.cdef', '525400ABCDEF']) {
    assert.equal(normalizeMac(text), '52:54:00:ab:cd:ef')
  }
  for (const text of ['52:54-00:ab:cd:ef', '52:54:00:ab:cd', '52:54:00:ab:cd:eg', '5254.00ab.cde']) {
    assert.equal(normalizeMac(text), undefined, text)
  }
})

test('identities', () => {
  for (const id of ['a', 'rig-001.lab_2', '0', 'x'.repeat(64)]) assert.ok(isNodeId(id), id)
  for (const text of ['', '.a', '-a', 'a/b', '../x', 'a b', 'ä', 'x'.repeat(65), 'a\0']) {
    assert.ok(!isNodeId(text), JSON.stringify(text))
  }
  assert.ok(!isNodeId('RIG1'))
})

test('a host name follows from every identity', () => {
  assert.equal(defaultHostname('52:54:00:ab:cd:ef'), 'node-525400abcdef')
  assert.equal(defaultHostname('rig001'), 'rig001')
  assert.equal(defaultHostname('a_b.c:'), 'a-b-c')
  assert.equal(defaultHostname('x'.repeat(64)).length, 63)
})
