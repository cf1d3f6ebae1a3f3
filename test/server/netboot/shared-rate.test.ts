import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedRate } from '../../../server/netboot/shared-rate.js'

test('what several addresses have too much, the others do not lack', () => {
  const rate = new SharedRate({
    each: { addressesMax: 4096, perSecond: 500, burst: 2048 },
    all: { perSecond: 4000, burst: 8192 },
  })
  const flood = (nowMs: number) => {
    for (let n = 0; n < 20; n += 1)
      for (let host = 0; host < 16; host += 1) rate.take(`10.0.0.${host}`, nowMs)
  }
  for (let nowMs = 0; nowMs < 3_000; nowMs += 10) flood(nowMs)
  for (let host = 0; host < 200; host += 1) {
    const nowMs = 3_000 + host * 10
    flood(nowMs)
    for (let n = 0; n < 4; n += 1) assert.ok(rate.take(`10.0.1.${host}`, nowMs), `request ${n} of ${host}`)
  }
})
