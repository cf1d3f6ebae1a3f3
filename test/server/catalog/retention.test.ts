import assert from 'node:assert/strict'
import { test } from 'node:test'
import { versionsToDrop } from '../../../server/catalog/retention.js'

const versions = [1, 2, 3, 4].map((version) => {
  const base = { version, createdMs: version * 1000, artifacts: [] }
  return version === 4 ? base : { ...base, supersededMs: (version + 1) * 1000 }
})
const rules = { keep: 1, bootingMaxMs: 60_000 }
const nobody = () => false

test('the current version and so many old ones stay', () => {
  assert.deepEqual(versionsToDrop(versions, rules, nobody, 10_000), [1, 2])
  assert.deepEqual(versionsToDrop(versions, { ...rules, keep: 0 }, nobody, 10_000), [1, 2, 3])
  assert.deepEqual(versionsToDrop(versions, { ...rules, keep: 9 }, nobody, 10_000), [])
})

test('a version stays while a node boots it, but not for ever', () => {
  const one = (version: number) => version === 1
  assert.deepEqual(versionsToDrop(versions, rules, one, 10_000), [2])
  assert.deepEqual(versionsToDrop(versions, rules, one, 61_999), [2])
  assert.deepEqual(versionsToDrop(versions, rules, one, 62_000), [1, 2])
})
