import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineLimit } from '../../../server/nodes/line-limit.js'

test('a few addresses that cause lines without end leave some for others', () => {
  const limit = new LineLimit({ windowMs: 60_000, allMax: 64 })
  const admitted = (address: string, count: number) =>
    Array.from({ length: count }, () => limit.admits([{ name: address, max: 16 }], address, 0)).filter(
      Boolean,
    ).length
  for (let n = 0; n < 1_000; n += 1) admitted(`10.0.0.${n % 8}`, 1)
  for (let n = 0; n < 4; n += 1) assert.equal(admitted(`10.0.1.${n}`, 1), 1, `${n}`)
  assert.ok(limit.takeSuppressed(60_000) > 900)
})

test('in all no more than so many, and in the next window as many again', () => {
  const limit = new LineLimit({ windowMs: 60_000, allMax: 64 })
  const all = (nowMs: number) =>
    Array.from({ length: 200 }, (_, n) => limit.admits([], `10.0.0.${n}`, nowMs)).filter(Boolean).length
  assert.deepEqual([all(0), all(59_999), all(60_000)], [64, 0, 64])
})
