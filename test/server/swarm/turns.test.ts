import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Reader, Turns } from '../../../server/swarm/turns.js'

/** A peer with so many messages of 1 KiB, which reads them as a wire does. */
class Peer {
  readonly #reader: Reader
  left: number

  constructor(turns: Turns, owner: string, messages: number) {
    this.left = messages
    this.#reader = turns.reader(owner, () => this.read())
  }

  read(): void {
    for (; this.left > 0; this.left--) {
      if (this.#reader.isOver) {
        this.#reader.wait()
        return
      }
      this.#reader.read(1_024 - 16)
    }
  }

  wait(): void {
    this.#reader.wait()
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('a turn of the event loop reads 16 KiB of one peer and 32 KiB of all', async () => {
  const turns = new Turns()
  const peers = Array.from({ length: 5 }, (_, i) => new Peer(turns, `owner${i}`, 100))
  const left = () => peers.reduce((sum, peer) => sum + peer.left, 0)
  for (const peer of peers) peer.read()
  assert.deepEqual(
    peers.map((peer) => peer.left),
    [84, 84, 100, 100, 100],
  )
  for (let turn = 2; left() > 32; turn++) {
    await nextTurn()
    assert.equal(left(), 500 - turn * 32)
  }
  await nextTurn()
  assert.equal(left(), 0)
})

test('one peer alone has all of a turn', async () => {
  const peer = new Peer(new Turns(), 'alone', 100)
  peer.wait()
  await nextTurn()
  assert.equal(peer.left, 100 - 32)
})

test('a hundred peers of one address wait for each other, not others for them', async () => {
  const turns = new Turns()
  const many = Array.from({ length: 100 }, () => new Peer(turns, 'many', 1_000))
  for (const peer of many) peer.read()
  const one = new Peer(turns, 'one', 64)
  one.read()
  assert.equal(one.left, 64)
  // In each turn, one of the many and the one.
  for (let i = 0; i < 4; i++) await nextTurn()
  assert.equal(one.left, 0)
})

test('a peer that waits keeps its place however often it says so', async () => {
  const turns = new Turns()
  const [first, second] = [new Peer(turns, 'same', 32), new Peer(turns, 'same', 32)]
  for (const peer of [first, second, first]) peer.wait()
  await nextTurn()
  assert.deepEqual([first.left, second.left], [16, 16])
  await nextTurn()
  await nextTurn()
  assert.deepEqual([first.left, second.left], [0, 0])
})

test('who reads now and then is read at once', async () => {
  const turns = new Turns()
  const peer = new Peer(turns, 'a', 1)
  for (let i = 0; i < 5; i++) {
    peer.left = 10
    peer.read()
    assert.equal(peer.left, 0)
    await nextTurn()
  }
})
