import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEND_PART_BYTES_MAX } from '../../../server/http/send-turns.js'
import { goesFirst } from '../../../server/wiring/goes-first.js'
import { TurnsWorld } from '../http/link-world.js'

test('files go second while another goes first, and without a limit before and afterwards', () => {
  const world = new TurnsWorld()
  const sender = { isSending: false, sentBytes: 0 }
  const told: (() => void)[] = []
  goesFirst(world.turns, {
    name: 'seeder',
    isSending: () => sender.isSending,
    sentBytes: () => sender.sentBytes,
    onStats: (run) => void told.push(run),
  })
  const tell = () => {
    for (const run of told) run()
  }
  /** How many of a hundred files are read on at once. */
  const readAtOnce = () => {
    let count = 0
    const files = Array.from({ length: 100 }, () => world.turns.enter('10.0.0.9'))
    for (const file of files) file.read(SEND_PART_BYTES_MAX, () => (count += 1))
    const atOnce = count
    for (const file of files) file.end()
    return atOnce
  }
  tell()
  assert.equal(readAtOnce(), 100)
  sender.isSending = true
  for (let times = 0; times < 3; times += 1) {
    tell()
    sender.sentBytes += 100_000
    world.pass(100)
  }
  assert.ok(readAtOnce() < 50)
  sender.isSending = false
  tell()
  // One that has just ended may be followed by the next.
  world.pass(2000)
  assert.equal(readAtOnce(), 100)
})
