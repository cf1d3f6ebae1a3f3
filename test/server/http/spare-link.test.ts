import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LINK_LOOK_MS, SpareLink } from '../../../server/http/spare-link.js'

/** Bytes a millisecond: a gigabit, and what all that go second need at least. */
const linkPace = 117_000
const leastPace = 64

/** The first take up to `wants`, the second up to what they may; of what is left over nobody has use. */
class World {
  readonly link = new SpareLink()
  nowMs = 0
  wants: number
  first = 0
  second = 0

  constructor(wants: number) {
    this.wants = wants
    this.link.start(leastPace, 0)
  }

  /** `canTake`: what the second take if nothing holds them back. */
  look(canTake: number): void {
    this.nowMs += LINK_LOOK_MS
    this.second = Math.min(canTake, this.link.pace, linkPace)
    this.first = Math.min(this.wants, linkPace - this.second)
    const moved = {
      elapsedMs: LINK_LOOK_MS,
      firstBytes: this.first * LINK_LOOK_MS,
      secondBytes: this.second * LINK_LOOK_MS,
      isTooLittle: canTake > this.link.pace,
    }
    this.link.look(moved, leastPace, this.nowMs)
  }

  /** The mean paces over so many looks. */
  after(looks: number, canTake: number): { first: number; second: number } {
    let [first, second] = [0, 0]
    for (let look = 0; look < looks; look += 1) {
      this.look(canTake)
      first += this.first / looks
      second += this.second / looks
    }
    return { first, second }
  }
}

test('where the first use the whole link, the second have a fifth of it and try for more now and then', () => {
  const world = new World(linkPace)
  world.after(20, linkPace)
  const { first, second } = world.after(400, linkPace)
  assert.ok(first > linkPace * 0.65, `${first}`)
  assert.ok(second >= linkPace * 0.2, `${second}`)
})

for (const wants of [0, 1, 187, 12_500, 60_000]) {
  test(`where the first take ${wants} bytes a millisecond whatever there is, the second soon have the rest`, () => {
    const world = new World(wants)
    const rest = linkPace - wants
    world.after(16, rest)
    const { first, second } = world.after(400, rest)
    assert.ok(first >= wants * 0.9, `${first}`)
    assert.ok(second > rest * 0.7, `${second}`)
  })
}

test('many small losses are one: what the first had before all trials counts', () => {
  // As it was over 100 Mbit/s: each trial took less than a quarter of what was left.
  const had = [9967, 11_154, 9955, 8917, 6815, 5690]
  const link = new SpareLink()
  link.start(leastPace, 0)
  const paces = had.map((first, index) => {
    const bytes = { firstBytes: first * LINK_LOOK_MS, secondBytes: link.pace * LINK_LOOK_MS }
    link.look({ elapsedMs: LINK_LOOK_MS, ...bytes, isTooLittle: true }, leastPace, (index + 1) * LINK_LOOK_MS)
    return link.pace
  })
  assert.ok((paces.at(-1) ?? 0) < (5690 + Math.max(...paces)) / 2, `${paces}`)
  assert.ok((paces.at(-1) ?? 0) < Math.max(...paces) / 2, `${paces}`)
})

test('what the second do not use is not kept for them', () => {
  const world = new World(0)
  world.after(20, linkPace)
  assert.ok(world.link.pace > linkPace / 4)
  world.after(20, 1000)
  assert.ok(world.link.pace <= 2000, `${world.link.pace}`)
})

test('one more that goes first takes back what was tried, but not each time', () => {
  const world = new World(1000)
  world.after(14, linkPace)
  const tried = world.link.pace
  assert.ok(tried > linkPace / 2)
  world.link.start(leastPace, world.nowMs)
  const share = world.link.pace
  assert.ok(share < tried / 2)
  world.after(5, linkPace)
  const later = world.link.pace
  assert.ok(later > share)
  world.link.start(leastPace, world.nowMs)
  assert.equal(world.link.pace, later)
})

test('all that go second have what they need at least', () => {
  const world = new World(0)
  assert.equal(world.link.pace, leastPace)
  world.link.look({ elapsedMs: 1, firstBytes: 0, secondBytes: 0, isTooLittle: false }, 256, 500)
  assert.equal(world.link.pace, 256)
})
