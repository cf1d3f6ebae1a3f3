import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WaitingLine } from '../../../server/netboot/waiting-line.js'

const graceMs = 10_000
const none = () => 0

/** Asks, and goes to sleep unless it is said to stay. */
function ask(line: WaitingLine, key: string, address: string, nowMs = 0, isHeld = false): boolean {
  const place = line.ask(key, address, nowMs, nowMs + graceMs)
  if (place !== undefined) place.isHeld = isHeld
  return place !== undefined
}

test('first come, first served; whoever sleeps is passed over and keeps the place', () => {
  const line = new WaitingLine(100, 100)
  for (const [key, isHeld] of [
    ['a', false],
    ['b', true],
    ['c', true],
  ] as const)
    ask(line, key, key, 0, isHeld)
  assert.equal(line.first(none)?.key, 'b')
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => line.position(key, none)),
    [1, 2, 3, 4],
  )
  line.leave('b')
  assert.equal(line.first(none)?.key, 'c')
  ask(line, 'a', 'a', 1, true)
  assert.equal(line.first(none)?.key, 'a')
  assert.deepEqual([line.position('c', none), line.firstSinceMs], [2, 0])
})

test('an address that has fewer turns goes first, and positions say so', () => {
  const line = new WaitingLine(100, 100)
  for (const key of ['n1', 'n2', 'n3']) ask(line, key, 'nat', 0, true)
  for (const key of ['a', 'b']) ask(line, key, key, 0, true)
  const turns: Record<string, number> = { nat: 1 }
  const turnsOf = (address: string) => turns[address] ?? 0
  const positions = Object.fromEntries(
    ['n1', 'n2', 'n3', 'a', 'b'].map((key) => [key, line.position(key, turnsOf)]),
  )
  const order: string[] = []
  for (let place = line.first(turnsOf); place !== undefined; place = line.first(turnsOf)) {
    order.push(place.key)
    turns[place.address] = turnsOf(place.address) + 1
    line.leave(place.key)
  }
  assert.deepEqual(order, ['a', 'b', 'n1', 'n2', 'n3'])
  assert.deepEqual(positions, { a: 1, b: 2, n1: 3, n2: 4, n3: 5 })
})

test('a place that nobody asks for again lapses', () => {
  const line = new WaitingLine(100, 100)
  ask(line, 'a', 'a')
  ask(line, 'b', 'b', 5000)
  line.expire(graceMs)
  assert.equal(line.size, 2)
  line.expire(graceMs + 1)
  assert.deepEqual([line.size, line.get('a'), line.get('b')?.sinceMs], [1, undefined, 5000])
})

test('inventions take no more than their room, and a node at the same address that comes back keeps its place', () => {
  const line = new WaitingLine(1024, 256)
  ask(line, 'honest', 'nat')
  ask(line, 'honest', 'nat')
  // A thousand a second for a minute, each asks once; the node comes back every three seconds.
  for (let nowMs = 0; nowMs < 60_000; nowMs += 1) {
    assert.ok(ask(line, `invented-${nowMs}`, 'nat', nowMs))
    if (nowMs % 250 === 0) line.expire(nowMs)
    if (nowMs % 3000 === 0) ask(line, 'honest', 'nat', nowMs)
  }
  assert.deepEqual([line.size, line.position('honest', none), line.get('honest')?.sinceMs], [256, 1, 0])
})

test('where all places are taken the greediest address gives way, and nobody who is there', () => {
  const line = new WaitingLine(8, 6)
  for (let made = 0; made < 20; made += 1) ask(line, `m${made}`, 'greedy', made)
  assert.equal(line.size, 6)
  assert.ok(['a', 'b', 'c', 'd', 'e'].every((key) => ask(line, key, key, 30)))
  assert.deepEqual([line.size, line.get('m16'), line.get('m17')?.address], [8, undefined, 'greedy'])
  const held = new WaitingLine(2, 2)
  for (const key of ['a', 'b']) ask(held, key, 'one', 0, true)
  assert.deepEqual([ask(held, 'c', 'two'), held.position('c', none)], [false, 3])
})
