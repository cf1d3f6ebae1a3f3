/** To whom pieces are handed where switches hang behind one another. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Handout } from '../../../server/swarm/handout.js'
import { gigabit, infohash, pieceLength, seeded, World } from './handout-world.js'

const racksOf = (world: World) => {
  const handed: Record<string, number> = {}
  for (const { conn } of world.grants) {
    const rack = world.nodes.get(conn)?.rack ?? ''
    handed[rack] = (handed[rack] ?? 0) + 1
  }
  return handed
}

test('only racks at the server are handed pieces, however few nodes they have', () => {
  const world = new World(300, { uplink: gigabit, rttMs: 0.5, spreadMs: 20 })
  for (let i = 0; i < 4; i++) world.join(i, 'a')
  for (let i = 4; i < 60; i++) world.join(i, 'b', { depth: 1 })
  for (let i = 60; i < 100; i++) world.join(i, 'c', { depth: 2 })
  world.run(5_000)
  assert.deepEqual(racksOf(world), { a: 300 })
  // The few nodes keep the uplink full.
  const floorMs = (300 * pieceLength) / gigabit
  const last = Math.max(...world.grants.map((g) => g.atMs))
  assert.ok(last < floorMs * 1.3, `the last hand-out after ${last} ms, floor ${floorMs} ms`)
})

test('where nobody at the server can take a piece, the racks nearest to it are handed it', () => {
  const world = new World(40, { uplink: gigabit, rttMs: 0.5, spreadMs: 5 })
  for (let i = 0; i < 8; i++) world.join(i, 'c', { depth: 2 })
  for (let i = 8; i < 16; i++) world.join(i, 'd', { depth: 3 })
  world.run(1_000)
  assert.deepEqual(racksOf(world), { c: 40 })
})

test('dead nodes at the server keep those behind them waiting for a moment only', () => {
  const world = new World(100, { uplink: gigabit, rttMs: 1, spreadMs: 10 })
  for (let i = 0; i < 3; i++) world.join(i, 'a', { dead: true })
  for (let i = 3; i < 20; i++) world.join(i, 'b', { depth: 1 })
  world.run(10_000)
  for (const node of world.nodes.values()) if (node.dead !== true) assert.equal(node.have.size, 100)
  assert.ok((racksOf(world).b ?? 0) >= 100)
})

test('an address that connects again and again and confirms nothing does not keep racks behind it waiting', () => {
  const world = new World(100, { uplink: gigabit, rttMs: 1, spreadMs: undefined })
  const greedy = { dead: true, address: 'greedy' }
  for (let i = 100; i < 200; i++) world.join(i, 'a', greedy)
  for (let round = 1; round <= 20; round++) {
    const conn = 200 + round
    world.at(round * 500, () => world.join(conn, 'a', greedy))
  }
  world.join(1, 'b', { depth: 1 })
  world.run(12_000)
  assert.equal(world.nodes.get(1)?.have.size, 100)
})

test('who is only busy is waited for, who has everything is not', () => {
  const handout = new Handout(seeded(3))
  handout.addTorrent({ infohash, sizeBytes: 6 * pieceLength, pieceLength, priority: 0 })
  handout.join(1, infohash, 'a', 0)
  handout.join(2, infohash, 'b', 0, { depth: 1 })
  handout.join(3, infohash, 'b', 0, { depth: 1 })
  const granted = (nowMs: number) => handout.poll(nowMs).map(({ conn, piece }) => `${piece} to ${conn}`)
  // Four are the window: as many as one agent alone may have.
  assert.deepEqual(granted(0), ['0 to 1', '1 to 1', '2 to 1', '3 to 1'])
  handout.have(1, 0, 10)
  assert.deepEqual(granted(10).at(0), '4 to 1')
  handout.leave(1)
  assert.ok(granted(20).every((grant) => !grant.endsWith('to 1')))
})

test('who starves is fed later the more racks lie before it', () => {
  const fedAt = (depth: number): number => {
    const handout = new Handout(seeded(3))
    handout.addTorrent({ infohash, sizeBytes: 4 * pieceLength, pieceLength, priority: 0 })
    handout.join(1, infohash, 'a', 0)
    for (let piece = 0; piece < 4; piece++) handout.have(1, piece, 0)
    handout.join(2, infohash, 'a', 0)
    for (let piece = 0; piece < 4; piece++) handout.have(2, piece, 0)
    handout.join(3, infohash, 'b', 0, { depth })
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
      if (handout.poll(nowMs).some(({ conn }) => conn === 3)) return nowMs
    }
    return Number.POSITIVE_INFINITY
  }
  assert.deepEqual([0, 1, 3].map(fedAt), [3_000, 6_000, 12_000])
})

test('an agent whose rack turns out to hang elsewhere is handed pieces accordingly, and those under way count', () => {
  const handout = new Handout(seeded(3))
  handout.addTorrent({ infohash, sizeBytes: 40 * pieceLength, pieceLength, priority: 0 })
  const to = (nowMs: number) => new Set(handout.poll(nowMs).map(({ conn }) => conn))
  handout.join(1, infohash, 'a', 0)
  handout.join(2, infohash, 'b', 0)
  assert.deepEqual(to(0), new Set([1, 2]))
  handout.move(2, 'b', 1)
  for (const [piece, conn] of [0, 1, 2, 3].flatMap((piece) => [[piece, 1] as const, [piece, 2] as const])) {
    handout.have(conn, piece, 10)
  }
  assert.deepEqual(to(10), new Set([1]))
  handout.move(1, 'a', 2)
  handout.move(1, 'a', 2)
  handout.move(9, 'a', 2)
  for (let piece = 4; piece < 40; piece++) handout.have(1, piece, 20)
  for (let piece = 4; piece < 12; piece++) handout.have(2, piece, 20)
  handout.leave(1)
  assert.deepEqual(to(30), new Set([2]))
})
