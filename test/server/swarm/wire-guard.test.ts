/** The guard of the seeder's wires. In a file of its own: it changes the library for the whole process. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import Wire from 'bittorrent-protocol'
import { MetadataParts } from '../../../server/swarm/metadata-parts.js'
import { Turns } from '../../../server/swarm/turns.js'
import { adopt, guardAllWires, type WireControl, type WireEvents } from '../../../server/swarm/wire.js'

/** A wire after the handshake, taken over by the guard; it tells what it lets through. */
async function adopted(events: Partial<WireEvents>): Promise<{ wire: Wire; control: WireControl }> {
  guardAllWires()
  const wire = new Wire()
  const handshake = [Buffer.from('\x13BitTorrent protocol', 'latin1'), Buffer.alloc(8), Buffer.alloc(40, 1)]
  wire.write(Buffer.concat(handshake))
  await new Promise((resolve) => setImmediate(resolve))
  const metadata = new MetadataParts(Buffer.from('d4:infod4:name1:xee'))
  const torrent = { pieces: 1_000, pieceLength: 16_384, sizeBytes: 16_384_000, metadata }
  const control = adopt(wire, torrent, {
    greeted() {},
    have: () => true,
    bitfield() {},
    interested() {},
    request: () => true,
    cancel: () => true,
    queued: () => 0,
    sends() {},
    reader: (readOn) => new Turns().reader('peer', readOn),
    mayRead: () => true,
    held() {},
    ...events,
  })
  await new Promise((resolve) => setImmediate(resolve))
  return { wire, control }
}

const haves = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => Buffer.from([0, 0, 0, 5, 4, 0, 0, 0, 7])))

test('encrypted connections share our key', () => {
  guardAllWires()
  const [first, second] = [new Wire('tcpIncoming', 1), new Wire('tcpIncoming', 1)]
  assert.equal(first._encryptor.dh, second._encryptor.dh)
})

test('a burst of messages is read in turns: between two of them all others have theirs', async () => {
  let read = 0
  let isHeld = false
  const { wire } = await adopted({
    have: () => ++read > 0,
    held: (held) => {
      isHeld = held
    },
  })
  wire.write(haves(7_000))
  const turns: number[] = []
  while (read < 7_000) {
    const before = read
    await new Promise((resolve) => setImmediate(resolve))
    turns.push(read - before)
  }
  assert.ok(Math.max(...turns) <= Math.ceil(32_768 / (5 + 16)), `${turns}`)
  assert.equal(isHeld, false)
  // A long message takes a turn of its own, and those after it wait.
  wire.write(Buffer.concat([Buffer.from([0, 0, 0x3f, 0xff, 99]), Buffer.alloc(0x3ffe), haves(1)]))
  await new Promise((resolve) => process.nextTick(resolve))
  assert.equal(read, 7_000)
  assert.equal(isHeld, true)
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(read, 7_001)
})

test('a peer that may not be read is held between two messages, and reads on where it was', async () => {
  const told: number[] = []
  let mayRead = true
  const { wire, control } = await adopted({
    mayRead: () => mayRead,
    held: (held) => told.push(Number(held)),
    have: () => {
      mayRead = false
      return true
    },
  })
  for (let i = 0; i < 3; i++) wire.write(haves(1))
  wire.write(haves(1).subarray(0, 3))
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [1])
  for (let i = 0; i < 2; i++) {
    control.goOn()
    mayRead = true
    control.goOn()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(told, [1, 0, 1, 0])
  wire.write(haves(1).subarray(3))
  mayRead = true
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(mayRead, false)
  wire.destroy()
  control.goOn()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [1, 0, 1, 0])
})

test('half a message costs nobody his turn', async () => {
  const turns = new Turns()
  let read = 0
  const events: Partial<WireEvents> = {
    reader: (readOn) => turns.reader('peer', readOn),
    have: () => ++read > 0,
  }
  const { wire } = await adopted(events)
  const slow = await Promise.all(Array.from({ length: 10 }, () => adopted(events)))
  for (const each of slow) each.wire.write(Buffer.from([0, 0, 0x3f, 0xff, 20]))
  wire.write(haves(1))
  await new Promise((resolve) => process.nextTick(resolve))
  assert.equal(read, 1)
})
