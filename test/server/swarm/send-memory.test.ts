import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendMemory } from '../../../server/swarm/send-memory.js'

const kib = 1024

/** A connection by hand. */
class Pipe {
  waitingBytes = 0
  takenBytes = 0

  take(bytes: number): void {
    this.waitingBytes -= bytes
    this.takenBytes += bytes
  }
}

function send(memory: SendMemory, id: number, pipe: Pipe, bytes: number, nowMs = 0): void {
  pipe.waitingBytes += bytes
  memory.sends(id, pipe, bytes, nowMs)
}

test('a peer is answered until 320 KiB wait for it, and again when it has taken them', () => {
  const memory = new SendMemory()
  const pipe = new Pipe()
  for (let i = 0; i < 20; i++) {
    assert.equal(memory.mayAnswer(1), true)
    send(memory, 1, pipe, 16 * kib)
  }
  assert.equal(memory.mayAnswer(1), false)
  pipe.take(16 * kib)
  assert.equal(memory.mayAnswer(1), true)
  pipe.take(pipe.waitingBytes)
  memory.sample(0)
  assert.equal(memory.bytes, 0)
})

test('above 64 MiB in all each gets one block at a time, when nothing waits for it', () => {
  const memory = new SendMemory()
  const idle = new Pipe()
  assert.equal(memory.payloadMax(1), 128 * kib)
  const others = Array.from({ length: 256 }, () => new Pipe())
  others.forEach((pipe, i) => {
    send(memory, 100 + i, pipe, 256 * kib)
  })
  assert.equal(memory.isShort, true)
  assert.equal(memory.payloadMax(1), 16 * kib)
  assert.equal(memory.mayAnswer(1), true)
  send(memory, 1, idle, 16 * kib)
  assert.equal(memory.payloadMax(1), 0)
  assert.equal(memory.mayAnswer(1), false)
  idle.take(16 * kib)
  assert.equal(memory.payloadMax(1), 16 * kib)
  for (let i = 0; i < 10; i++) memory.leave(100 + i)
  assert.equal(memory.payloadMax(1), 128 * kib)
})

test('who takes nothing for a minute is stuck, for 10 s when memory is short; a byte is enough', () => {
  const memory = new SendMemory()
  const [slow, dead] = [new Pipe(), new Pipe()]
  send(memory, 1, slow, 1_000)
  send(memory, 2, dead, 1_000)
  assert.deepEqual(memory.sample(30_000), [])
  slow.take(1)
  assert.deepEqual(memory.sample(59_999), [])
  slow.take(1)
  assert.deepEqual(memory.sample(60_000), [2])
  memory.leave(2)
  send(memory, 3, dead, 64 * kib * kib, 60_000)
  assert.deepEqual(memory.sample(69_999), [])
  slow.take(1)
  assert.deepEqual(memory.sample(70_000), [3])
})
