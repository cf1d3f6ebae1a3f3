import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrackerSwarm } from '../../../server/swarm/tracker-swarm.js'
import { makeRackTree } from '../../../src/rack-tree.js'

/** mulberry32 */
function seeded(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const node = (rack: number, host: number, extra: object = {}) => ({
  peerId: `${rack}-${host}`,
  address: `10.0.${rack}.${host}`,
  port: 6881,
  rack: `rack${rack}`,
  agent: true,
  introduced: false,
  seed: false,
  expiresMs: 1_000,
  ...extra,
})

function farm(racks: number, hosts: number): TrackerSwarm {
  const swarm = new TrackerSwarm()
  for (let host = 1; host <= hosts; host++)
    for (let rack = 0; rack < racks; rack++) swarm.put(node(rack, host))
  return swarm
}

test('first the own rack, then a few across, each from another rack', () => {
  const swarm = farm(21, 24)
  const met = swarm.introduce(node(3, 5), 50, seeded(1))
  assert.equal(met.local.length, 23)
  assert.ok(met.local.every((peer) => peer.rack === 'rack3' && peer.address !== '10.0.3.5'))
  assert.equal(met.across.length, 4)
  assert.equal(new Set(met.across.map((peer) => peer.rack)).size, 4)
  assert.ok(met.across.every((peer) => peer.rack !== 'rack3'))
})

test('a small rack gets more across, numwant bounds all', () => {
  const swarm = farm(21, 2)
  const met = swarm.introduce(node(0, 1), 50, seeded(1))
  assert.equal(met.local.length, 1)
  assert.equal(met.across.length, 11)
  const few = swarm.introduce(node(0, 1), 3, seeded(1))
  assert.equal(few.local.length + few.across.length, 3)
  assert.deepEqual(swarm.introduce(node(0, 1), 0, seeded(1)), { local: [], across: [], far: [] })
})

test('a big rack is sampled differently for each, and evenly', () => {
  const swarm = farm(1, 200)
  const random = seeded(5)
  const named = new Map<string, number>()
  for (let host = 1; host <= 200; host++) {
    const { local } = swarm.introduce(node(0, host), 50, random)
    assert.equal(new Set(local).size, 23)
    for (const peer of local) named.set(peer.peerId, (named.get(peer.peerId) ?? 0) + 1)
  }
  const counts = [...named.values()]
  assert.equal(counts.length, 200)
  assert.ok(
    Math.min(...counts) >= 15 && Math.max(...counts) <= 31,
    `${Math.min(...counts)}-${Math.max(...counts)}`,
  )
})

test('across is spread over all the nodes of the farm', () => {
  const swarm = farm(21, 24)
  const random = seeded(9)
  const named = new Set<string>()
  for (let rack = 0; rack < 21; rack++) {
    for (let host = 1; host <= 24; host++) {
      for (const peer of swarm.introduce(node(rack, host), 50, random).across) named.add(peer.peerId)
    }
  }
  assert.ok(named.size > 480, `${named.size} of 504 were named`)
})

test('seeds meet those who lack something only', () => {
  const swarm = new TrackerSwarm()
  swarm.put(node(0, 1, { seed: true }))
  swarm.put(node(0, 2, { seed: true }))
  swarm.put(node(0, 3))
  const met = swarm.introduce(node(0, 1, { seed: true }), 50, seeded(1))
  assert.deepEqual(
    met.local.map((peer) => peer.peerId),
    ['0-3'],
  )
  assert.equal(swarm.seeds, 2)
})

test('another port replaces the old one, another identity at the same port its former self', () => {
  const swarm = new TrackerSwarm()
  swarm.put(node(0, 1))
  swarm.put(node(0, 1, { port: 7000 }))
  assert.equal(swarm.size, 1)
  swarm.put(node(0, 1, { port: 7000, peerId: 'new' }))
  assert.equal(swarm.size, 1)
  const [peer] = swarm.introduce(node(0, 9), 50, seeded(1)).local
  assert.equal(peer?.peerId, 'new')
  swarm.put(node(0, 1, { peerId: 'second' }))
  assert.equal(swarm.size, 2)
  swarm.remove('new', '10.0.0.2')
  assert.equal(swarm.size, 2)
  swarm.remove('new', '10.0.0.1')
  assert.equal(swarm.size, 1)
})

test('who is not heard is forgotten', () => {
  const swarm = farm(2, 3)
  swarm.put(node(0, 1, { expiresMs: 5_000 }))
  swarm.expire(1_000)
  assert.equal(swarm.size, 1)
  swarm.expire(5_000)
  assert.equal(swarm.size, 0)
  assert.deepEqual(swarm.introduce(node(0, 1), 50, seeded(1)), { local: [], across: [], far: [] })
})

test('bounded: 8,192 peers; who invents them loses his own', () => {
  const swarm = new TrackerSwarm()
  for (let host = 1; host <= 200; host++) swarm.put(node(1, host))
  for (let i = 0; i < 500; i++) swarm.put(node(2, 1, { peerId: `nat${i}`, port: 1_000 + i }))
  for (let i = 0; i < 20_000; i++) swarm.put(node(0, 1, { peerId: `flood${i}`, port: 1_000 + i }))
  assert.equal(swarm.size, 8_192)
  for (let host = 1; host <= 200; host++) assert.equal([...swarm.at(`10.0.1.${host}`)].length, 1)
  assert.equal([...swarm.at('10.0.2.1')].length, 500)
  const flood = [...swarm.at('10.0.0.1')]
  assert.equal(flood.length, 8_192 - 700)
  assert.equal(flood.at(-1)?.peerId, 'flood19999')
})

test('those that came with a request for a manifest stay when others invent peers with thousands of addresses', () => {
  const swarm = new TrackerSwarm()
  for (let i = 0; i < 500; i++)
    swarm.put(node(1, 1, { peerId: `nat${i}`, port: 1_000 + i, introduced: true }))
  // An announce of its own leaves it among them.
  swarm.put(node(1, 1, { peerId: 'nat0', port: 1_000 }))
  for (let i = 0; i < 20_000; i++)
    swarm.put(node(i >> 8, i & 255, { peerId: `p${i}`, rack: 'rack1', port: 9 }))
  assert.equal(swarm.size, 8_192)
  assert.equal(swarm.announced, 8_192 - 500)
  assert.equal([...swarm.at('10.0.1.1')].filter(({ introduced }) => introduced).length, 500)
  const { local } = swarm.introduce(node(1, 2), 50, seeded(1))
  assert.equal(local.filter(({ introduced }) => !introduced).length, 5)
})

test('the addresses of one IPv6 network count as one', () => {
  const swarm = new TrackerSwarm()
  for (let host = 1; host <= 30; host++) swarm.put(node(0, host))
  const address = (i: number) => `fd00::1:${i.toString(16)}`
  for (let i = 0; i < 3_000; i++) swarm.put(node(0, 99, { peerId: `flood${i}`, address: address(i) }))
  for (let i = 0; i < 50; i++) {
    const { local } = swarm.introduce(node(0, 100), 50, seeded(i))
    assert.ok(local.filter((peer) => peer.address.startsWith('fd00:')).length <= 1)
  }
  assert.equal([...swarm.at(address(7))].length, 1)
})

test('behind one address nobody takes the place of a node that asked for its manifest', () => {
  const swarm = new TrackerSwarm()
  swarm.put(node(0, 1, { introduced: true }))
  swarm.put(node(0, 1, { peerId: 'thief' }))
  assert.deepEqual(
    [...swarm.at('10.0.0.1')].map(({ peerId }) => peerId),
    ['0-1'],
  )
  swarm.put(node(0, 1, { peerId: 'next', introduced: true }))
  assert.deepEqual(
    [...swarm.at('10.0.0.1')].map(({ peerId }) => peerId),
    ['next'],
  )
})

test('an address with thousands of peers is met as often as one with a single peer', () => {
  const swarm = new TrackerSwarm()
  for (let host = 1; host <= 50; host++) swarm.put(node(0, host))
  for (let i = 0; i < 5_000; i++) swarm.put(node(0, 99, { peerId: `flood${i}`, port: 1_000 + i }))
  const random = seeded(3)
  for (let i = 0; i < 200; i++) {
    const { local } = swarm.introduce(node(0, 100), 50, random)
    assert.equal(local.length, 23)
    assert.ok(local.filter(({ address }) => address === '10.0.0.99').length <= 1)
  }
  // When there are no others, all of them are met.
  const alone = new TrackerSwarm()
  for (let i = 0; i < 40; i++) alone.put(node(0, 99, { peerId: `node${i}`, port: 1_000 + i }))
  const { local } = alone.introduce(node(0, 100), 50, random)
  assert.equal(new Set(local).size, 23)
})

const known = (rack: number, host: number, extra: object = {}) =>
  node(rack, host, { introduced: true, ...extra })

/** A rack whose nodes come one after the other; what each is told of who imports. */
function arrivals(swarm: TrackerSwarm, rack: number, hosts: number, extra: object = {}) {
  return Array.from({ length: hosts }, (_, at) => {
    const peer = known(rack, at + 1, extra)
    swarm.put(peer)
    return swarm.introduce(peer, 200, seeded(at))
  })
}

test('the first agents of a rack import, and all know one another', () => {
  const swarm = new TrackerSwarm()
  const met = arrivals(swarm, 0, 120)
  const turns = met.map(({ importer }) => importer)
  assert.deepEqual(turns.slice(0, 24), [...Array(24).keys()])
  assert.ok(turns.slice(24).every((turn) => turn === 'others'))
  // Each is told of those that came before it.
  for (const [at, { local }] of met.slice(0, 24).entries()) {
    const importers = local.map(({ peerId }) => Number(peerId.split('-')[1]) - 1)
    assert.deepEqual(importers, [...Array(at).keys()])
  }
  // Others meet a sample of the whole rack.
  assert.ok(met.at(-1)?.local.some(({ peerId }) => Number(peerId.split('-')[1]) > 24))
  assert.equal(new Set(met.at(-1)?.local).size, 23)
})

test('across meet importers', () => {
  const swarm = new TrackerSwarm()
  arrivals(swarm, 0, 120)
  const met = arrivals(swarm, 1, 40)
  for (const { across } of met) {
    assert.ok(across.length >= 4)
    assert.ok(across.every(({ peerId }) => Number(peerId.split('-')[1]) <= 24))
  }
})

test('another agent takes the place of an importer that is gone; a renewed one keeps its turn', () => {
  const swarm = new TrackerSwarm()
  arrivals(swarm, 0, 30)
  const turn = (host: number) => swarm.introduce(known(0, host), 0, seeded(1)).importer
  swarm.put(known(0, 2, { expiresMs: 2_000 }))
  assert.equal(turn(2), 1)
  swarm.remove('0-1', '10.0.0.1')
  assert.equal(turn(2), 0)
  assert.equal(turn(30), 23)
  assert.equal(turn(29), 'others')
})

test('who has everything, is no agent or has only announced itself does not import', () => {
  const swarm = new TrackerSwarm()
  const turn = (peer: ReturnType<typeof node>) => {
    swarm.put(peer)
    return swarm.introduce(peer, 50, seeded(1)).importer
  }
  assert.equal(turn(known(0, 1, { seed: true })), undefined)
  assert.equal(turn(node(0, 2)), undefined)
  assert.equal(turn(known(0, 3, { agent: false })), undefined)
  assert.equal(turn(known(0, 4)), 0)
  assert.equal(turn(node(0, 2)), 'others')
})

test('agents at one address are a quarter of the importers at most', () => {
  const swarm = new TrackerSwarm()
  const turns = Array.from({ length: 30 }, (_, at) => {
    const peer = { ...known(0, 1), peerId: `invented ${at}`, port: 1_000 + at }
    swarm.put(peer)
    return swarm.introduce(peer, 50, seeded(at)).importer
  })
  assert.equal(turns.filter((turn) => turn !== 'others').length, 6)
  // An address' first one comes before any other's second.
  swarm.put(known(0, 2))
  assert.equal(swarm.introduce(known(0, 2), 50, seeded(1)).importer, 1)
})

test('a few addresses with invented agents do not keep the others of the rack from importing', () => {
  const swarm = new TrackerSwarm()
  const enter = (host: number, at: number) => {
    const peer = { ...known(0, host), peerId: `${host}-${at}`, port: 1_000 + at }
    swarm.put(peer)
    return swarm.introduce(peer, 50, seeded(at))
  }
  for (let at = 0; at < 100; at++) for (let host = 1; host <= 4; host++) enter(host, at)
  const turns = Array.from({ length: 30 }, (_, at) => enter(11 + at, 0).importer)
  assert.deepEqual(
    turns.slice(0, 20),
    Array.from({ length: 20 }, (_, at) => at + 4),
  )
  assert.ok(turns.slice(20).every((turn) => turn === 'others'))
  // Asking again does not bring a place back, and other racks meet the real ones.
  for (let at = 0; at < 100; at++) enter(1 + (at % 4), at)
  assert.equal(enter(11, 0).importer, 4)
  swarm.put(known(1, 1))
  const { across } = swarm.introduce(known(1, 1), 50, seeded(7))
  assert.equal(new Set(across.map(({ address }) => address)).size, across.length)
})

/** `rack0` at the server, each other one behind the one before. */
const line = makeRackTree(
  Array.from({ length: 6 }, (_, n) => ({ name: `rack${n}`, behind: n === 0 ? undefined : `rack${n - 1}` })),
)

test('in a line of racks each meets importers of the one before and the one behind, and of no other', () => {
  const swarm = new TrackerSwarm()
  const random = seeded(5)
  for (let host = 1; host <= 40; host++) {
    for (let rack = 0; rack < 6; rack++) {
      const peer = node(rack, host, { introduced: true })
      swarm.put(peer)
      swarm.introduce(peer, 200, random, line)
    }
  }
  for (let host = 1; host <= 40; host++) {
    for (let rack = 0; rack < 6; rack++) {
      const { across, far } = swarm.introduce(node(rack, host), 50, random, line)
      const racks = [...new Set(across.map((peer) => peer.rack))].sort()
      const next = [rack - 1, rack + 1].filter((n) => n >= 0 && n < 6)
      assert.deepEqual(
        racks,
        next.map((n) => `rack${n}`),
      )
      assert.deepEqual([across.length, far.length], [4, 0])
      // The first 24 that came.
      assert.ok(across.every((peer) => Number(peer.peerId.split('-')[1]) <= 24))
    }
  }
})

test('importers of racks behind others share three turns; at the server each has its own', () => {
  const swarm = new TrackerSwarm()
  const turnsIn = (rack: number) =>
    Array.from({ length: 30 }, (_, host) => {
      const peer = known(rack, host + 1)
      swarm.put(peer)
      return swarm.introduce(peer, 50, seeded(host), line).importer
    })
  const [first, second] = [turnsIn(0), turnsIn(1)]
  assert.deepEqual(first.slice(0, 24), [...Array(24).keys()])
  assert.deepEqual(
    second.slice(0, 24),
    [...Array(24).keys()].map((place) => place % 3),
  )
  for (const turns of [first, second]) assert.ok(turns.slice(24).every((turn) => turn === 'others'))
})

test('where racks have nobody the next one on the way is met, and told apart', () => {
  const swarm = new TrackerSwarm()
  const enter = (rack: number) => {
    for (let host = 1; host <= 12; host++) swarm.put(node(rack, host))
  }
  const met = (rack: number) => {
    const { across, far } = swarm.introduce(node(rack, 1), 50, seeded(1), line)
    return [across, far].map((peers) => [...new Set(peers.map((peer) => peer.rack))].sort().join(' '))
  }
  enter(0)
  enter(4)
  assert.deepEqual(met(4), ['', 'rack0'])
  enter(2)
  assert.deepEqual(met(4), ['', 'rack2'])
  enter(3)
  assert.deepEqual(met(4), ['rack3', ''])
  enter(5)
  for (let host = 1; host <= 12; host++) swarm.remove(`3-${host}`, `10.0.3.${host}`)
  assert.deepEqual(met(4), ['rack5', 'rack2'])
})

test('one that pieces come from is among those named, however many racks hang behind', () => {
  const behind = Array.from({ length: 20 }, (_, n) => ({ name: `rack${n + 1}`, behind: 'rack0' }))
  const fan = makeRackTree([{ name: 'rack0' }, ...behind])
  const swarm = farm(21, 24)
  swarm.put(node(99, 1))
  for (let seed = 0; seed < 50; seed++) {
    const { across } = swarm.introduce(node(0, 1), 50, seeded(seed), fan)
    assert.deepEqual([across.length, across[0]?.rack], [4, 'rack99'])
    assert.ok(swarm.introduce(node(7, 1), 50, seeded(seed), fan).across.every(({ rack }) => rack === 'rack0'))
  }
})
