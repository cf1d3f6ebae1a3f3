import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEND_PART_BYTES_MAX } from '../../../server/http/send-turns.js'
import { yieldToSeeder } from '../../../server/wiring/yield-to-seeder.js'
import { TurnsWorld } from '../http/link-world.js'

test('files go second while the seeder hands out, and without a limit before and afterwards', () => {
  const world = new TurnsWorld()
  const seeder = { isHandingOut: false, uploadedBytes: 0 }
  const told: (() => void)[] = []
  yieldToSeeder(world.turns, {
    isHandingOut: () => seeder.isHandingOut,
    onSeederStats: (run) => void told.push(run),
    seederStats: () => ({ uploadedBytes: seeder.uploadedBytes }) as never,
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
  seeder.isHandingOut = true
  for (let times = 0; times < 3; times += 1) {
    tell()
    seeder.uploadedBytes += 100_000
    world.pass(100)
  }
  assert.ok(readAtOnce() < 50)
  seeder.isHandingOut = false
  tell()
  // One that has just ended may be followed by the next.
  world.pass(2000)
  assert.equal(readAtOnce(), 100)
})
