import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Handout } from '../../../server/swarm/handout.js'
import { gigabit, infohash, pieceLength, seeded, World } from './handout-world.js'

test('hands each piece out once and keeps the uplink full: one copy, within 10 % of the floor', () => {
  const world = new World(496, { uplink: gigabit, rttMs: 0.5, spreadMs: 20 })
  for (let i = 0; i < 500; i++) world.join(i, `rack${i % 21}`)
  world.run(5_000)
  assert.equal(world.grants.length, 496)
  assert.equal(new Set(world.grants.map((g) => g.piece)).size, 496)
  const floorMs = (496 * pieceLength) / gigabit
  const last = Math.max(...world.grants.map((g) => g.atMs))
  assert.ok(last < floorMs * 1.1, `the last hand-out after ${last} ms, floor ${floorMs} ms`)
  const perRack = new Map<string, number>()
  for (const { conn } of world.grants) {
    const rack = `rack${conn % 21}`
    perRack.set(rack, (perRack.get(rack) ?? 0) + 1)
  }
  assert.ok(Math.min(...perRack.values()) >= 22 && Math.max(...perRack.values()) <= 26)
})

test('serves a few recipients at a time', () => {
  const world = new World(496, { uplink: gigabit, rttMs: 0.5, spreadMs: 20 })
  for (let i = 0; i < 500; i++) world.join(i, `rack${i % 21}`)
  const ms = (496 * pieceLength) / gigabit
  world.run(ms / 2)
  const confirmed = [...world.nodes.values()].reduce(
    (n, node) => n + node.from.filter((p) => node.have.has(p)).length,
    0,
  )
  assert.ok(world.grants.length - confirmed <= 16, `${world.grants.length - confirmed} at once`)
})

test('a lone node gets everything at full rate', () => {
  for (const rttMs of [0.2, 5, 40]) {
    const world = new World(300, { uplink: gigabit, rttMs, spreadMs: undefined })
    world.join(1, 'rack')
    world.run(60_000)
    assert.equal(world.grants.length, 300)
    const floorMs = (300 * pieceLength) / gigabit
    const last = Math.max(...world.grants.map((g) => g.atMs))
    assert.ok(last < floorMs * 1.3 + 10 * rttMs, `rtt ${rttMs}: ${last} ms, floor ${floorMs} ms`)
  }
})

test('nodes that are slow to take their pieces are served many at a time, so that the uplink is full', () => {
  const world = new World(496, { uplink: gigabit, rttMs: 0.5, spreadMs: 20 })
  for (let i = 0; i < 100; i++) world.join(i, `rack${i % 5}`, { rate: gigabit / 16 })
  world.run(20_000)
  assert.equal(world.grants.length, 496)
  const floorMs = (496 * pieceLength) / gigabit
  const last = Math.max(...world.grants.map((g) => g.atMs))
  assert.ok(last < floorMs * 1.6, `the last hand-out after ${last} ms, floor ${floorMs} ms`)
})

test('a slow uplink is filled too, without rescues of what is only slow', () => {
  const world = new World(30, { uplink: gigabit / 500, rttMs: 1, spreadMs: 2_000 })
  for (let i = 0; i < 20; i++) world.join(i, `rack${i % 4}`)
  world.run(120_000)
  assert.equal(world.grants.length, 30)
  const floorMs = (30 * pieceLength) / (gigabit / 500)
  assert.ok(Math.max(...world.grants.map((g) => g.atMs)) < floorMs)
})

test('a file of one piece is handed out at once', () => {
  const handout = new Handout(seeded(1))
  handout.addTorrent({ infohash, sizeBytes: 10, pieceLength, priority: 0 })
  handout.join(1, infohash, 'rack', 0)
  assert.deepEqual(handout.poll(0), [{ conn: 1, piece: 0 }])
  assert.deepEqual(handout.poll(0), [])
})

test('a late joiner gets nothing when others have all of it, and all of it when they have gone', () => {
  const world = new World(20, { uplink: gigabit, rttMs: 1, spreadMs: 5 })
  const all = new Set(Array.from({ length: 20 }, (_, i) => i))
  world.join(1, 'a', { have: new Set(all) })
  world.join(2, 'b', { have: new Set(all) })
  world.join(3, 'b')
  world.run(1_000)
  assert.equal(world.grants.length, 0)
  world.leave(1)
  world.run(1_100)
  assert.equal(world.grants.length, 0)
  world.leave(2)
  world.run(2_000)
  assert.equal(world.grants.length, 20)
})

test('pieces of a holder that left before others had them are handed out again', () => {
  const world = new World(40, { uplink: gigabit, rttMs: 1, spreadMs: undefined })
  world.join(1, 'a')
  world.join(2, 'b')
  world.run(500)
  const lost = world.nodes.get(1)?.have.size ?? 0
  assert.ok(lost >= 15)
  const before = world.grants.length
  world.leave(1)
  world.run(1_000)
  assert.equal(world.grants.length - before, lost)
  assert.equal(world.nodes.get(2)?.have.size, 40)
})

test('what a dead node sits on is rescued, and it does not hold back the others', () => {
  const world = new World(200, { uplink: gigabit, rttMs: 1, spreadMs: 10 })
  for (let i = 0; i < 24; i++) world.join(i, `rack${i % 4}`, i < 4 ? { dead: true } : {})
  world.run(10_000)
  for (const node of world.nodes.values()) if (node.dead !== true) assert.equal(node.have.size, 200)
  // A dead node is tried a few times only.
  assert.ok(world.grants.length < 240, `${world.grants.length} hand-outs`)
})

test('a hundred agents of one address that take hand-outs and keep them cost as much as one of them', () => {
  const world = new World(200, { uplink: gigabit, rttMs: 1, spreadMs: 10 })
  for (let i = 0; i < 100; i++) world.join(i, 'rack', { dead: true, address: 'greedy' })
  for (let i = 100; i < 104; i++) world.join(i, 'rack')
  // The first four hand-outs are all that is under way before somebody has confirmed one.
  world.run(0)
  assert.equal(world.grants.length, 4)
  assert.ok(world.grants.filter(({ conn }) => conn < 100).length <= 1)
  world.run(10_000)
  for (let i = 100; i < 104; i++) assert.equal(world.nodes.get(i)?.have.size, 200)
})

test('who connects anew for each hand-out gets no more of them', () => {
  const world = new World(200, { uplink: gigabit, rttMs: 1, spreadMs: 10 })
  for (let i = 0; i < 4; i++) world.join(i, 'rack')
  let next = 100
  const churn = (conn: number) => {
    if (world.nodes.has(conn)) world.leave(conn)
    const again = next++
    world.join(again, 'rack', { dead: true, address: 'greedy' })
    if (world.nowMs < 2_000) world.at(world.nowMs + 50, () => churn(again))
  }
  for (let i = 0; i < 50; i++) world.at(i, () => churn(next))
  world.run(2_000)
  for (let i = 0; i < 4; i++) assert.equal(world.nodes.get(i)?.have.size, 200)
  assert.ok(world.grants.filter(({ conn }) => conn >= 100).length <= 4)
})

test('500 nodes behind one address are handed as much as 500 with addresses of their own', () => {
  const grantsOf = (address: string | undefined) => {
    const world = new World(496, { uplink: gigabit, rttMs: 0.5, spreadMs: 20 })
    for (let i = 0; i < 500; i++)
      world.join(i, `rack${i % 21}`, { ...(address === undefined ? {} : { address }) })
    world.run(5_000)
    return world.grants
  }
  assert.deepEqual(grantsOf('nat').length, 496)
  assert.equal(
    Math.max(...grantsOf('nat').map((g) => g.atMs)),
    Math.max(...grantsOf(undefined).map((g) => g.atMs)),
  )
})

test('a slow node keeps its piece only as long as it moves, and gets fewer', () => {
  const world = new World(200, { uplink: gigabit, rttMs: 1, spreadMs: 10 })
  for (let i = 0; i < 8; i++) world.join(i, `rack${i}`, i === 0 ? { rate: gigabit / 100 } : {})
  world.run(20_000)
  assert.ok((world.nodes.get(0)?.from.length ?? 0) <= 6)
  for (const node of world.nodes.values()) assert.equal(node.have.size, 200)
})

test('a piece that stays with one holder is rescued after a while, each time later', () => {
  const world = new World(1, { uplink: gigabit, rttMs: 1, spreadMs: undefined })
  for (let i = 0; i < 10; i++) world.join(i, 'rack')
  world.run(1_000)
  assert.equal(world.grants.length, 1)
  world.run(2_999)
  assert.equal(world.grants.length, 2)
})

test('a crowd waits for a piece with one holder no longer than a fifth of a second', () => {
  const world = new World(1, { uplink: gigabit, rttMs: 1, spreadMs: undefined })
  for (let i = 0; i < 20; i++) world.join(i, 'rack')
  world.run(190)
  assert.equal(world.grants.length, 1)
  world.run(400)
  assert.equal(world.grants.length, 2)
})

test('with an idle uplink a piece stays with one holder for twice what hand-outs take, however long that is', () => {
  const world = new World(8, { uplink: gigabit / 500, rttMs: 1, spreadMs: undefined })
  for (let i = 0; i < 10; i++) world.join(i, 'rack')
  world.run(60_000)
  // Each took up to four times the 1,050 ms of a piece: four at a time share the uplink.
  const [first, again] = [world.grants[0], world.grants.find((g, i) => i > 0 && g.piece === 0)]
  assert.ok(first !== undefined && again !== undefined)
  const waitedMs = again.atMs - first.atMs
  assert.ok(waitedMs > 4_000 && waitedMs < 14_000, `${waitedMs} ms`)
})

test('while two other hand-outs are under way it stays six times as long as they take, not twice', () => {
  for (const [others, times] of [
    [1, 2],
    [2, 6],
  ] as const) {
    const handout = new Handout(seeded(5))
    handout.addTorrent({ infohash, sizeBytes: (1 + others) * pieceLength, pieceLength, priority: 0 })
    for (let conn = 1; conn <= 8; conn++) handout.join(conn, infohash, 'r', 0)
    let againMs: number | undefined
    let first: number | undefined
    for (let nowMs = 0; nowMs < 20_000 && againMs === undefined; nowMs += 50) {
      // The others are slow, and never done.
      for (let conn = 1; conn <= 8; conn++) if (conn !== first) handout.sent(conn, nowMs)
      if (nowMs === 1_000 && first !== undefined) handout.have(first, 0, nowMs)
      for (const { conn, piece } of handout.poll(nowMs)) {
        if (piece !== 0) continue
        if (first === undefined) first = conn
        else againMs = nowMs
      }
    }
    assert.ok(againMs !== undefined)
    const waited = (againMs - 1_000) / 1_000
    assert.ok(waited >= times && waited < times + 1, `${others} others: ${waited} times`)
  }
})

test('at the end, what nobody has is given to a second agent however much the first tells of others', () => {
  const handout = new Handout(seeded(3))
  handout.addTorrent({ infohash, sizeBytes: 64 * pieceLength, pieceLength, priority: 0 })
  for (const conn of [1, 2, 3, 4]) handout.join(conn, infohash, 'r', 0)
  for (const conn of [3, 4]) {
    handout.interest(conn, false)
    for (let piece = 8; piece < 64; piece++) handout.have(conn, piece, 0)
  }
  const due: { atMs: number; conn: number; piece: number }[] = []
  let lost: { piece: number; conn: number; atMs: number } | undefined
  let rescuedMs: number | undefined
  let told = 8
  for (let nowMs = 0; nowMs < 60_000 && rescuedMs === undefined; nowMs += 50) {
    for (const { conn, piece } of due.splice(0, due.findIndex((d) => d.atMs > nowMs) >>> 0)) {
      handout.have(conn, piece, nowMs)
    }
    // Whoever sits on it gets other pieces from its neighbours all the time.
    if (lost !== undefined && nowMs % 500 === 0) handout.have(lost.conn, told++, nowMs)
    for (const { conn, piece } of handout.poll(nowMs)) {
      if (lost?.piece === piece) rescuedMs = nowMs
      else if (lost === undefined && piece === 5) lost = { piece, conn, atMs: nowMs }
      else due.push({ atMs: nowMs + 1000, conn, piece })
    }
  }
  assert.ok(lost !== undefined && rescuedMs !== undefined)
  assert.ok(rescuedMs - lost.atMs <= 2_500, `${rescuedMs - lost.atMs} ms`)
})

test('an agent to whom nobody gives anything is fed by the origin', () => {
  const world = new World(50, { uplink: gigabit, rttMs: 1, spreadMs: undefined })
  // Two that claim to have everything (and give nothing), so that no piece is ever rare.
  const all = new Set(Array.from({ length: 50 }, (_, i) => i))
  world.join(1, 'a', { have: new Set(all) })
  world.join(2, 'a', { have: new Set(all) })
  world.join(3, 'a')
  world.run(2_900)
  assert.equal(world.grants.length, 0)
  world.run(5_000)
  assert.equal(world.nodes.get(3)?.have.size, 50)
})

test('those that say that they have everything end no hand-out', () => {
  const world = new World(400, { uplink: gigabit, rttMs: 1, spreadMs: 5 })
  const all = new Set(Array.from({ length: 400 }, (_, i) => i))
  world.join(1, 'a', { have: new Set(all) })
  world.join(2, 'a', { have: new Set(all) })
  for (let conn = 3; conn < 8; conn++) world.join(conn, 'a')
  world.run(4_000)
  assert.deepEqual(new Set(world.grants.map(({ piece }) => piece)), all)
  assert.equal(world.nodes.get(7)?.have.size, 400)
})

test('a rack that brings pieces in by HTTPS is handed fewer', () => {
  const [racks, each, brought] = [8, 4, 3]
  const handout = new Handout(seeded(1))
  handout.addTorrent({ infohash, sizeBytes: pieceLength * racks * each, pieceLength, priority: 0 })
  for (let rack = 0; rack < racks; rack += 1) handout.join(rack, infohash, `rack${rack}`, 0)
  const received = new Array<number>(racks).fill(0)
  for (let piece = 0; piece < brought; piece += 1) handout.have(0, piece, 0)
  received[0] = brought
  const underWay: { conn: number; piece: number }[] = []
  for (let nowMs = 0; ; nowMs += 10) {
    for (const grant of handout.poll(nowMs)) {
      received[grant.conn] = (received[grant.conn] ?? 0) + 1
      underWay.push(grant)
    }
    const oldest = underWay.shift()
    if (oldest === undefined) break
    handout.have(oldest.conn, oldest.piece, nowMs)
  }
  assert.ok(Math.max(...received) <= each + 1, `${received}`)
  assert.equal(
    received.reduce((sum, count) => sum + count),
    racks * each,
  )
})

test('who is far behind the others is handed nothing while others can take it', () => {
  const [nodes, told, pieces] = [8, 10, 40]
  const handedToFirst = (isFarBehind: boolean): number => {
    const handout = new Handout(seeded(3))
    handout.addTorrent({ infohash, sizeBytes: pieceLength * pieces, pieceLength, priority: 0 })
    for (let conn = 0; conn < nodes; conn++) {
      handout.join(conn, infohash, 'rack', 0)
      for (let piece = 0; piece < (conn === 0 && isFarBehind ? 2 : told); piece++)
        handout.have(conn, piece, 0)
    }
    let given = 0
    // After three seconds without anything it would be fed, as anybody whom nobody else serves.
    for (let nowMs = 0; nowMs < 2_500; nowMs += 10) {
      for (const { conn, piece } of handout.poll(nowMs)) {
        if (conn === 0) given++
        // It spreads at once, but not to the one that is behind.
        for (let other = 0; other < nodes; other++)
          if (other !== 0 || !isFarBehind || conn === 0) handout.have(other, piece, nowMs + 5)
      }
    }
    return given
  }
  assert.ok(handedToFirst(false) > 0)
  assert.equal(handedToFirst(true), 0)
})

test('torrents go in order of priority', () => {
  const handout = new Handout(seeded(1))
  const second = 'b'.repeat(40)
  handout.addTorrent({ infohash: second, sizeBytes: pieceLength * 10, pieceLength, priority: 5 })
  handout.addTorrent({ infohash, sizeBytes: pieceLength * 2, pieceLength, priority: 1 })
  handout.join(1, second, 'rack', 0)
  handout.join(2, infohash, 'rack', 0)
  const grants = handout.poll(0)
  assert.deepEqual(
    grants.slice(0, 2).map((g) => g.conn),
    [2, 2],
  )
  assert.ok(grants.length > 2 && grants.slice(2).every((g) => g.conn === 1))
})

test('a torrent that gets another priority goes in its new place', () => {
  const handout = new Handout(seeded(1))
  const other = 'b'.repeat(40)
  handout.addTorrent({ infohash, sizeBytes: pieceLength, pieceLength, priority: 0 })
  handout.addTorrent({ infohash: other, sizeBytes: pieceLength, pieceLength, priority: 1 })
  handout.prioritise(infohash, 2)
  handout.prioritise('f'.repeat(40), 0)
  handout.join(1, infohash, 'rack', 0)
  handout.join(2, other, 'rack', 0)
  assert.deepEqual(
    handout.poll(0).map((grant) => grant.conn),
    [2, 1],
  )
})

test('hostile: absurd indexes, double joins, unknown torrents and connections change nothing', () => {
  const handout = new Handout(seeded(1))
  handout.addTorrent({ infohash, sizeBytes: pieceLength * 3, pieceLength, priority: 0 })
  handout.join(1, 'f'.repeat(40), 'rack', 0)
  assert.equal(handout.stats(infohash).agents, 0)
  handout.join(1, infohash, 'rack', 0)
  handout.join(1, infohash, 'other', 0)
  for (const piece of [-1, 3, 4_294_967_295, Number.NaN]) handout.have(1, piece, 0)
  handout.bitfield(1, new Uint8Array(1_000), 0)
  handout.have(99, 0, 0)
  handout.leave(99)
  assert.equal(handout.poll(0).length, 3)
  assert.equal(handout.stats(infohash).agents, 1)
  handout.removeTorrent(infohash)
  assert.equal(handout.stats(infohash).agents, 0)
  assert.equal(handout.busy, false)
})
