import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FactBatch } from '../../../server/netboot/fact-batch.js'
import type { Fact } from '../../../src/timeline.js'

test('one machine that causes facts without end leaves room for those of others', () => {
  let nowMs = 0
  const kept: Fact[] = []
  const batch = new FactBatch({
    send: (facts) => void kept.push(...facts),
    elapsedMs: () => nowMs,
    nowMs: () => nowMs,
    after: () => {},
  })
  const refused = (address: string): Fact => ({
    ...{ source: 'tftp', type: 'program.refused', address },
    data: { file: 'x', why: 'no such file' },
  })
  for (; nowMs < 30_000; nowMs += 10) for (let n = 0; n < 10; n += 1) batch.add(refused('10.0.0.66'))
  for (let n = 0; n < 100; n += 1) {
    batch.add(refused('10.0.0.66'))
    batch.add(refused(`10.0.1.${n}`))
  }
  batch.flush()
  assert.equal(kept.filter(({ address }) => address?.startsWith('10.0.1.')).length, 100)
  assert.ok(kept.length < 8192 + 30 * 500 + 100, `${kept.length}`)
})
