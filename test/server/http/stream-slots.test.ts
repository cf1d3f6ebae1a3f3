import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Lease, StreamSlots } from '../../../server/http/stream-slots.js'

const big = 1 << 20

function admitted(slots: StreamSlots, address: string, bytes: number, nowMs = 0): Lease | undefined {
  const admission = slots.admit(address, bytes, nowMs)
  return admission.ok ? admission.lease : undefined
}

test('admits as many streams as there are slots, and the next when one ends', () => {
  const slots = new StreamSlots(8, 1024)
  const leases = Array.from({ length: 8 }, (_, n) => admitted(slots, `10.0.0.${n}`, big))
  assert.ok(leases.every((lease) => lease !== undefined))
  assert.equal(admitted(slots, '10.0.0.99', big), undefined)
  const first = leases[0]
  assert.ok(first)
  slots.release(first, 100)
  slots.release(first, 100)
  assert.ok(admitted(slots, '10.0.0.99', big))
  assert.equal(admitted(slots, '10.0.0.98', big), undefined)
  assert.equal(slots.active, 8)
})

test('a small part counts for a quarter', () => {
  const slots = new StreamSlots(1, 1024)
  for (let n = 0; n < 4; n += 1) assert.ok(admitted(slots, `10.0.0.${n}`, 1024))
  assert.equal(admitted(slots, '10.0.0.9', 1), undefined)
})

test('while the seeder hands out one slot is left', () => {
  let isHandingOut = true
  const slots = new StreamSlots(8, 1024, () => isHandingOut)
  assert.ok(admitted(slots, '10.0.0.1', big))
  assert.equal(admitted(slots, '10.0.0.3', big), undefined)
  isHandingOut = false
  assert.ok(admitted(slots, '10.0.0.3', big))
  isHandingOut = true
  assert.equal(admitted(slots, '10.0.0.4', 1), undefined)
  assert.ok(admitted(new StreamSlots(1, 1024, () => true), '10.0.0.1', big))
})

test('one address uses what nobody else asks for, but for a quarter', () => {
  const slots = new StreamSlots(16, 1024)
  for (let n = 0; n < 12; n += 1) assert.ok(admitted(slots, '10.0.0.1', big))
  assert.equal(admitted(slots, '10.0.0.1', big), undefined)
  for (let n = 0; n < 4; n += 1) assert.ok(admitted(slots, '10.0.0.2', big))
  assert.equal(admitted(slots, '10.0.0.3', big), undefined)
})

test('a stream that runs for long gives way to an address that holds less', () => {
  const slots = new StreamSlots(16, 1024)
  const ended: string[] = []
  const take = (address: string, nowMs: number) => {
    const admission = slots.admit(address, big, nowMs, () => ended.push(address))
    if (admission.ok) admission.inPlaceOf?.end()
    return admission.ok
  }
  // Four addresses hold all: a fifth has its turn when one of them has had its own.
  for (let n = 0; n < 16; n += 1) assert.ok(take(`10.0.0.${n % 4}`, n))
  assert.ok(!take('10.0.0.9', 9_999))
  assert.ok(take('10.0.0.9', 10_000))
  assert.deepEqual(ended, ['10.0.0.0'])
  // With two streams it would hold as many as the others soon.
  assert.ok(take('10.0.0.9', 10_001))
  assert.ok(take('10.0.0.9', 10_002))
  assert.ok(!take('10.0.0.9', 10_003))
  assert.deepEqual(ended, ['10.0.0.0', '10.0.0.1', '10.0.0.2'])
  // One that holds nothing need not wait for a minute, one that holds as many has no claim.
  assert.ok(take('10.0.0.8', 10_004))
  assert.ok(!take('10.0.0.3', 200_000))
  assert.equal(slots.active, 16)
})

test('with one stream for each address every one has a minute at least', () => {
  const slots = new StreamSlots(4, 1024)
  for (let n = 0; n < 4; n += 1) assert.ok(admitted(slots, `10.0.0.${n}`, big, n))
  assert.equal(admitted(slots, '10.0.0.9', big, 59_999), undefined)
  assert.ok(admitted(slots, '10.0.0.9', big, 60_000))
  assert.equal(admitted(slots, '10.0.0.8', big, 60_000), undefined)
  assert.ok(admitted(slots, '10.0.0.8', big, 60_001))
})

test('whoever ends his streams and asks again at once gives way as others do', () => {
  const [slotsMax, lastsMs, stepMs, endMs] = [16, 5000, 50, 60_000]
  const slots = new StreamSlots(slotsMax, 1024)
  const held = new Set<Lease>()
  const take = (address: string, nowMs: number) => {
    const admission = slots.admit(address, big, nowMs)
    if (!admission.ok) return admission.retryAfterS
    if (admission.inPlaceOf !== undefined) held.delete(admission.inPlaceOf)
    held.add(admission.lease)
    return 0
  }
  let [asksMs, waitedMs] = [1000, Number.POSITIVE_INFINITY]
  for (let nowMs = 0; nowMs < endMs && waitedMs > nowMs; nowMs += stepMs) {
    for (const lease of held) {
      if (nowMs - lease.startedMs < lastsMs) continue
      slots.release(lease, nowMs)
      held.delete(lease)
    }
    for (let n = 0; n < 2 * slotsMax; n += 1) take(`10.0.0.${n % 4}`, nowMs)
    if (nowMs < asksMs) continue
    const retryAfterS = take('10.0.0.9', nowMs)
    if (retryAfterS === 0) waitedMs = nowMs
    asksMs = nowMs + retryAfterS * 1000
  }
  // Ten seconds, and until it asks again.
  assert.ok(waitedMs <= 10_000 + 31_000, `${waitedMs} ms`)
})

test('an address that has held nothing for a while begins anew', () => {
  const slots = new StreamSlots(2, 1024)
  const first = admitted(slots, '10.0.0.1', big, 0)
  assert.ok(first)
  slots.release(first, 9_000)
  assert.ok(admitted(slots, '10.0.0.1', big, 19_000))
  assert.ok(admitted(slots, '10.0.0.2', big, 19_000))
  assert.equal(admitted(slots, '10.0.0.3', big, 78_999), undefined)
  assert.ok(admitted(slots, '10.0.0.3', big, 79_000))
})

test('while the seeder hands out, a stream gives way only if that makes room', () => {
  let isHandingOut = false
  const slots = new StreamSlots(8, 1024, () => isHandingOut)
  for (let n = 0; n < 8; n += 1) assert.ok(admitted(slots, `10.0.0.${n}`, big))
  isHandingOut = true
  assert.equal(admitted(slots, '10.0.0.9', big, 100_000), undefined)
  assert.equal(slots.active, 8)
})

test('refused nodes are told to come back at different times, all of them soon enough', () => {
  const slots = new StreamSlots(10, 1024)
  for (let n = 0; n < 10; n += 1) assert.ok(admitted(slots, `10.0.1.${n}`, big))
  const waits: number[] = []
  for (let n = 0; n < 490; n += 1) {
    const admission = slots.admit(`10.0.${2 + (n % 200)}.1`, big, 0)
    assert.ok(!admission.ok)
    waits.push(admission.retryAfterS)
  }
  assert.equal(Math.min(...waits), 1)
  assert.equal(Math.max(...waits), 30)
  // Ten streams of a second each end in every second: no more than that come back at once, but for the last.
  for (let second = 1; second < 30; second += 1)
    assert.ok(waits.filter((wait) => wait === second).length <= 10)
})

test('what one client asks too much makes no other one wait longer', () => {
  const slots = new StreamSlots(10, 1024)
  for (let n = 0; n < 10; n += 1) assert.ok(admitted(slots, `10.0.1.${n}`, big))
  const wait = (address: string, nowMs: number) => {
    const admission = slots.admit(address, big, nowMs)
    assert.ok(!admission.ok)
    return admission.retryAfterS
  }
  for (let n = 0; n < 20_000; n += 1) wait(`10.0.2.${n % 4}`, n / 10)
  assert.equal(wait('10.0.2.1', 2_000), 30)
  assert.equal(wait('10.0.3.1', 2_000), 1)
  // Beside the flood, each of 100 nodes has what it would have alone, and so when it asks again.
  const waits = Array.from({ length: 100 }, (_, n) => wait(`10.0.4.${n}`, 2_001))
  assert.equal(Math.max(...waits), Math.ceil((4 + 1 + 100) / 10))
  assert.ok(wait('10.0.4.1', 3_000) <= Math.ceil((2 * 4 + 1 + 100 + 1) / 10))
})
