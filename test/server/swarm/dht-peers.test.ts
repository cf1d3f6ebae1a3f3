import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DhtPeers } from '../../../server/swarm/dht-peers.js'
import { seeded } from './handout-world.js'

const peer = (host: number, port: number): Buffer =>
  Buffer.from([10, 0, host >> 8, host & 255, port >> 8, port & 255])

const key = (compact: Buffer): string => compact.toString('hex')

function make(): { peers: DhtPeers; clock: { ms: number } } {
  const clock = { ms: 0 }
  return { peers: new DhtPeers(() => clock.ms, seeded(1)), clock }
}

test('names 50 peers at most, each once, and every address before the second of one', () => {
  const { peers } = make()
  assert.deepEqual(peers.get('a'), [])
  for (let port = 1; port <= 1_000; port++) peers.add('a', peer(1, port))
  for (let host = 2; host <= 11; host++) peers.add('a', peer(host, 6_881))
  peers.add('a', peer(2, 6_881))
  const named = new Set(peers.get('a').map(key))
  assert.equal(named.size, 50)
  for (let host = 2; host <= 11; host++) assert.ok(named.has(key(peer(host, 6_881))))
  assert.equal(peers.get('a', 3).length, 3)
  assert.deepEqual(peers.get('b'), [])
})

test('500 nodes of one address are all kept, and who announces tens of thousands drops his own', () => {
  const { peers } = make()
  for (let port = 1; port <= 500; port++) peers.add('a', peer(1, port))
  for (let host = 2; host <= 400; host++) peers.add('a', peer(host, 1))
  for (let port = 1; port <= 60_000; port++) peers.add('a', peer(9_999, port))
  assert.equal(peers.size, 2_048)
  const named = new Set<string>()
  for (let i = 0; i < 2_000; i++) for (const compact of peers.get('a')) named.add(key(compact))
  for (let host = 2; host <= 400; host++) assert.ok(named.has(key(peer(host, 1))))
  for (let torrent = 0; torrent < 40; torrent++) {
    for (let port = 1; port <= 2_000; port++) peers.add(`t${torrent}`, peer(9_999, port))
  }
  assert.equal(peers.size, 32_768)
})

test('who does not announce himself again is forgotten after half an hour', () => {
  const { peers, clock } = make()
  peers.add('a', peer(1, 1))
  peers.add('a', peer(2, 1))
  clock.ms = 20 * 60_000
  peers.add('a', peer(1, 1))
  clock.ms = 31 * 60_000
  assert.deepEqual(peers.get('a').map(key), [key(peer(1, 1))])
  assert.equal(peers.size, 1)
  peers.destroy()
  assert.equal(peers.size, 0)
})
