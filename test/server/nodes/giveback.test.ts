import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  calmInMs,
  isWholeSeed,
  reportAfterS,
  type Seed,
  SeedCensus,
  type SeedRules,
} from '../../../server/nodes/giveback.js'
import { type NodeRecord, newNode } from '../../../server/nodes/state.js'

const calmS = 900
const nowMs = 10_000_000
const rules: SeedRules = { calmS, keepPerRack: 2, keepMin: 4 }

/** A node that booted so many seconds ago. */
function booted(agoS: number, more: Partial<NodeRecord> = {}): NodeRecord {
  const at = nowMs - agoS * 1000
  const node = newNode('a', 'r1', 'a', '10.0.0.1', at)
  return { ...node, state: 'booted', seeding: 'whole', bootHeardMs: at, lastSeenMs: at, ...more }
}

const census = (seeds: readonly Seed[]) => new SeedCensus(seeds.map((each, index) => [`${index}`, each]))
const seed = (rack: string, ...infohashes: string[]): Seed => ({ rack, infohashes })
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const calmIn = (nodes: readonly NodeRecord[], arriving = 0) => calmInMs(nodes, arriving, calmS, nowMs)

test('calm comes when the last boot but stragglers is long enough ago', () => {
  assert.equal(calmIn([]), 0)
  // One restarts at any time.
  assert.equal(calmIn([booted(5), booted(901)]), 0)
  assert.equal(calmIn([booted(5), booted(300), booted(900)]), 600_000)
  assert.equal(calmIn([booted(5), booted(5)]), 895_000)
  const downloading = booted(800, { state: 'downloading' })
  assert.equal(calmIn([downloading]), 0)
  assert.equal(calmIn([downloading, downloading]), 900_000)
  assert.equal(calmIn([...times(394, booted(2000)), ...times(5, booted(1))]), 899_000)
  assert.equal(calmIn([...times(394, booted(2000)), ...times(3, booted(1))]), 0)
  assert.equal(calmIn([...times(100, booted(2000))], 1), 0)
  assert.equal(calmIn([...times(100, booted(2000))], 2), 900_000)
  assert.equal(calmIn([...times(100, booted(2000)), booted(100)], 1), 800_000)
  assert.equal(calmIn([], 1e9), 900_000, 'a queue of any length')
})

test('while the storm lasts a seed is told to ask again when it could be over', () => {
  assert.equal(reportAfterS(seed('r1', 'x'), census([]), 600_001, rules), 601)
  assert.equal(reportAfterS(seed('r1', 'x'), census([]), 1, rules), 30)
  assert.equal(reportAfterS(seed('r1', 'x'), census([]), 1, { ...rules, calmS: 3 }), 3)
  assert.equal(reportAfterS(seed('r1', 'x'), census([]), 1e9, rules), 1800)
})

test('after it, whoever leaves enough others in the rack and in all is told to end', () => {
  const others = (near: number, far: number) =>
    census([...times(near, seed('r1', 'x', 'y')), ...times(far, seed('r2', 'x', 'y'))])
  assert.equal(reportAfterS(seed('r1', 'x', 'y'), others(2, 2), 0, rules), 0)
  assert.equal(reportAfterS(seed('r1', 'x', 'y'), others(1, 9), 0, rules), 1800)
  assert.equal(reportAfterS(seed('r1', 'x', 'y'), others(2, 1), 0, rules), 1800)
  assert.equal(reportAfterS(seed('r1', 'x', 'y'), others(2, 2), 0, { ...rules, calmS: 0 }), 1800, 'never')
  assert.equal(reportAfterS(seed('r1', 'x'), census([]), 0, { calmS, keepPerRack: 0, keepMin: 0 }), 0)
  // What the others have not got stays with it; what nobody wants any more does not count.
  assert.equal(reportAfterS(seed('r1', 'x', 'z'), others(5, 5), 0, rules), 1800)
  assert.equal(reportAfterS(seed('r1'), census([]), 0, rules), 0)
})

test('500 nodes that ask one after another leave two in each rack', () => {
  const nodes = Array.from({ length: 500 }, (_, n) => ({ rack: `r${Math.floor(n / 24)}`, infohashes: ['x'] }))
  const left = census(nodes)
  for (const [index, node] of nodes.entries()) {
    left.delete(`${index}`)
    if (reportAfterS(node, left, 0, rules) !== 0) left.put(`${index}`, node)
  }
  assert.equal(left.size, 42)
  for (const { rack } of nodes) assert.deepEqual(left.holders('x', rack), { near: 2, all: 42 })
})

test('a census counts each seed once, as it was put last', () => {
  const counted = census([seed('r1', 'x', 'y'), seed('r2', 'x')])
  assert.deepEqual(counted.holders('x', 'r1'), { near: 1, all: 2 })
  counted.put('0', seed('r3', 'x'))
  counted.delete('1')
  counted.delete('1')
  counted.delete('unknown')
  assert.deepEqual(counted.holders('x', 'r1'), { near: 0, all: 1 })
  assert.deepEqual(counted.holders('y', 'r1'), { near: 0, all: 0 })
  assert.equal(counted.size, 1)
})

test('who is overdue, has ended, was told to or has dropped something is no whole seed', () => {
  assert.ok(isWholeSeed(booted(2000), nowMs))
  assert.ok(isWholeSeed(booted(2000, { seedS: 1800 }), nowMs))
  assert.ok(!isWholeSeed(booted(2000, { seedS: 900 }), nowMs))
  assert.ok(isWholeSeed(booted(1200, { seedS: 900 }), nowMs))
  assert.ok(!isWholeSeed(booted(2400), nowMs))
  assert.ok(!isWholeSeed(booted(1, { seedS: 0 }), nowMs))
  assert.ok(!isWholeSeed(booted(1, { seeding: 'part' }), nowMs))
  assert.ok(!isWholeSeed(booted(1, { seeding: 'no' }), nowMs))
  assert.ok(!isWholeSeed(booted(1, { state: 'downloading' }), nowMs))
})
