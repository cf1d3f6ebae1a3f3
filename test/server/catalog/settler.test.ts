import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FoundFile } from '../../../server/catalog/scan.js'
import { fileKey, Settler } from '../../../server/catalog/settler.js'

const times = { quietMs: 1000, oldMs: 10_000, growingMs: 60_000 }
const day = 86_400_000

/** A file of a size, last written `ageMs` before `nowMs`. */
function file(sizeBytes: number, writtenMs: number, ino = '1'): FoundFile {
  const mtimeNs = String(BigInt(writtenMs) * 1_000_000n)
  const stamp = { sizeBytes, mtimeNs, ctimeNs: mtimeNs, ino }
  return { kind: 'plugin', name: 'a', path: '/a', stamp }
}

test('a file that nobody has written to for long counts at once', () => {
  assert.equal(new Settler(times).look(file(5, day - 20_000), day), 'settled')
})

test('a fresh file counts when two looks a second apart agree', () => {
  const settler = new Settler(times)
  const fresh = file(5, day)
  assert.equal(settler.look(fresh, day), 'waiting')
  assert.equal(settler.look(fresh, day + 999), 'waiting')
  assert.equal(settler.look(fresh, day + 1000), 'settled')
})

test('each change begins the wait again; after a minute it is growing; resting ends it', () => {
  const settler = new Settler(times)
  for (let s = 0; s < 60; s += 1)
    assert.equal(settler.look(file(s, day + s * 1000), day + s * 1000), 'waiting')
  assert.equal(settler.look(file(60, day + 60_000), day + 60_000), 'growing')
  assert.equal(settler.look(file(60, day + 60_000), day + 61_000), 'settled')
})

test('a replaced file of old age does not count at once: its copy may still run', () => {
  const settler = new Settler(times)
  assert.equal(settler.look(file(5, 1000), day), 'settled')
  assert.equal(settler.look(file(9, 1000, '2'), day + 100), 'waiting')
})

test('a file that changed while it was read waits again', () => {
  const settler = new Settler(times)
  const old = file(5, 1000)
  assert.equal(settler.look(old, day), 'settled')
  settler.unsettle(old, day)
  assert.equal(settler.look(old, day + 500), 'waiting')
  assert.equal(settler.look(old, day + 1000), 'settled')
})

test('a clock that is set back delays by a second only', () => {
  const settler = new Settler(times)
  const fresh = file(5, day)
  assert.equal(settler.look(fresh, day), 'waiting')
  assert.equal(settler.look(fresh, day - 5000), 'waiting')
  assert.equal(settler.look(fresh, day - 4000), 'settled')
})

test('a missing file is gone after a second, and not if it came back between', () => {
  const settler = new Settler(times)
  const key = fileKey({ kind: 'plugin', name: 'a' })
  assert.equal(settler.gone(key, day), false)
  settler.look(file(5, day), day + 500)
  assert.equal(settler.gone(key, day + 1200), false)
  assert.equal(settler.gone(key, day + 2200), true)
})
