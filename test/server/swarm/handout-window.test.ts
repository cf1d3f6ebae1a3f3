import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandoutWindow } from '../../../server/swarm/handout-window.js'

/** A random source that follows from its seed. */
function seeded(seed: number): () => number {
  let x = seed * 7_919
  return () => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff
    return x / 0x7fffffff
  }
}

/**
 * The part of its time for which the origin's link is busy, and the widest window: a piece passes the link in
 * `passMs`, and is confirmed about `travelMs` later.
 */
function run(seed: number, passMs: number, travelMs: number): { busy: number; widest: number } {
  const random = seeded(seed)
  const window = new HandoutWindow()
  const due: number[] = []
  let [nowMs, freeAtMs, widest] = [0, 0, 0]
  const pieces = 1_500
  for (let done = 0; done < pieces; done++) {
    while (due.length < window.size) {
      freeAtMs = Math.max(freeAtMs, nowMs) + passMs
      due.push(freeAtMs + travelMs * (0.6 + 0.8 * random()))
    }
    due.sort((a, b) => a - b)
    nowMs = due.shift() ?? nowMs
    widest = Math.max(widest, window.size)
    window.confirmed(131_072, nowMs)
  }
  return { busy: (pieces * passMs) / nowMs, widest }
}

test('fills 1 Gbit/s with pieces of 128 KiB that take 20 ms to be confirmed', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { busy } = run(seed, 1.05, 20)
    assert.ok(busy > 0.88, `seed ${seed}: busy for ${busy}`)
  }
})

test('is no wider than it takes, by the measure of its steps', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { busy, widest } = run(seed, 100, 20)
    assert.ok(busy > 0.99 && widest <= 10, `seed ${seed}: busy for ${busy}, ${widest} under way`)
  }
})

test('steps down that are each within the noise do not add up', () => {
  let sum = 0
  for (let seed = 1; seed <= 8; seed++) sum += run(seed, 1.05, 5).busy
  assert.ok(sum / 8 > 0.98, `busy for ${sum / 8}`)
})
