import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FairRate } from '../../src/fair-rate.js'

const taken = (rate: FairRate, address: string, count: number, nowMs = 0): number => {
  let read = 0
  for (let n = 0; n < count; n += 1) read += Number(rate.take(address, nowMs))
  return read
}

/** So many a second of each address for so long, all in turn; how many each got. */
function flood(rate: FairRate, addresses: readonly string[], perSecond: number, seconds: number) {
  const got = new Map(addresses.map((address) => [address, 0]))
  for (let n = 0; n < seconds * perSecond; n += 1) {
    const nowMs = (n * 1000) / perSecond
    for (const [address, count] of got) got.set(address, count + Number(rate.take(address, nowMs)))
  }
  return got
}

test('one address may have most at once, and then what nobody else asks for', () => {
  const rate = new FairRate({ perSecond: 400, burst: 400 })
  const first = taken(rate, 'flood', 1_000)
  assert.ok(first >= 300 && first < 380, `${first}`)
  assert.equal(taken(rate, 'modest', 20), 20)
  assert.equal(taken(rate, 'flood', 1_000), 0)
  const alone = flood(new FairRate({ perSecond: 400, burst: 400 }), ['nat'], 1_000, 10).get('nat') ?? 0
  assert.ok(alone >= 10 * 400, `${alone}`)
})

test('however many addresses flood, those that ask for little are heard', () => {
  for (const several of [2, 12, 64]) {
    const rate = new FairRate({ perSecond: 5_000, burst: 5_000 })
    const addresses = Array.from({ length: several }, (_, n) => `10.0.0.${n}`)
    flood(rate, addresses, 20_000 / several, 4)
    for (let node = 0; node < 25; node += 1) {
      const nowMs = 4_000 + node * 10
      assert.equal(taken(rate, `10.0.1.${node}`, 10, nowMs), 10, `${node} beside ${several}`)
      for (const address of addresses) taken(rate, address, 200 / several, nowMs)
    }
  }
})

test('those that all want more than there is have equal parts, however much they want', () => {
  const rate = new FairRate({ perSecond: 1_000, burst: 1_000 })
  const got = { greedy: 0, nat: 0 }
  for (let ms = 0; ms < 60_000; ms += 1) {
    const greedy = taken(rate, 'greedy', 20, ms)
    const nat = taken(rate, 'nat', 1, ms)
    if (ms < 30_000) continue
    got.greedy += greedy
    got.nat += nat
  }
  assert.ok(got.nat > 0.9 * 15_000, JSON.stringify(got))
})

test('a thousand addresses together stay within the rate of all', () => {
  const rate = new FairRate({ perSecond: 400, burst: 400 })
  let read = 0
  for (let n = 0; n < 1_000; n += 1) read += taken(rate, `10.0.${n >> 8}.${n & 255}`, 5)
  assert.ok(read > 380 && read <= 400, `${read}`)
})

test('says how long to wait', () => {
  const rate = new FairRate({ perSecond: 100, burst: 400 })
  assert.equal(rate.waitMs('one', 0, 400), 0)
  assert.ok(rate.take('one', 0, 300))
  assert.equal(rate.waitMs('other', 0, 100), 0)
  assert.equal(rate.waitMs('other', 0, 110), 100)
  const waitMs = rate.waitMs('one', 0, 50)
  assert.ok(waitMs > 0)
  assert.ok(!rate.take('one', 0, 50))
  assert.ok(rate.take('one', waitMs, 50))
})

test('a clock that is set back gives nothing, and takes nothing', () => {
  const rate = new FairRate({ perSecond: 10, burst: 1 })
  assert.ok(rate.take('one', 1_000))
  assert.ok(!rate.take('other', 500))
  assert.ok(rate.take('other', 1_000))
})
