import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEND_PART_BYTES_MAX } from '../../../server/http/send-turns.js'
import { LINK_LOOK_MS } from '../../../server/http/spare-link.js'
import { randomFrom } from '../../fuzz.js'
import { TurnsWorld } from './link-world.js'

const [node, greedy, honest] = ['10.0.0.1', '10.0.0.2', '10.0.0.3']

/** Files whose parts are counted, in virtual time. */
class World extends TurnsWorld {
  /** Whose parts were read, in order. */
  readonly read: string[] = []
  /** What was read for each, bytes. */
  readonly bytes = new Map<string, number>()

  /** A file of a client, which wants its first part now; `everyMs`: and the next one so long after each. */
  file(address: string, name: string, everyMs?: number) {
    const turn = this.turns.enter(address)
    const next = () =>
      turn.read(SEND_PART_BYTES_MAX, (bytes) => {
        this.read.push(name)
        this.bytes.set(name, (this.bytes.get(name) ?? 0) + bytes)
        if (everyMs !== undefined) this.after(everyMs, next)
      })
    next()
    return { ...turn, next }
  }

  /** A node that loads a file in its turn, so fast, bytes a millisecond; call the result when it has ended. */
  node(address = node, pace = 0, isCrawling = () => false): () => void {
    const sinceMs = this.nowMs
    return this.turns.goesFirst(address, { movedBytes: () => (this.nowMs - sinceMs) * pace, isCrawling })
  }

  /** What was read since the last time, without repetitions, in order. */
  took(): string[] {
    return [...new Set(this.read.splice(0))].sort()
  }
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

test('without a node in its turn any number of files of one address is read on', () => {
  const world = new World()
  const files = names(500).map((name) => world.file(honest, name))
  assert.equal(world.took().length, 500)
  for (const { next } of files) next()
  assert.equal(world.took().length, 500)
  assert.deepEqual(world.timers, [])
  assert.equal(world.bytes.get('7'), 2 * SEND_PART_BYTES_MAX)
})

test('nodes in their turn hold up nobody behind their own address', () => {
  const world = new World()
  const over = [world.node(honest), world.node(honest)]
  for (const name of names(500)) world.file(honest, name)
  assert.equal(world.took().length, 500)
  // A node of another address is another matter, until it has ended.
  const other = world.node()
  for (const name of names(100)) world.file(honest, name)
  assert.ok(world.turns.waiting > 80)
  other()
  world.pass(1000)
  assert.equal(world.turns.waiting, 0)
  for (const end of over) end()
})

test('beside a node in its turn files are read on in small parts, of each address in turn', () => {
  const world = new World()
  world.node()
  for (const name of names(20)) world.file(greedy, `g${name}`, 1)
  world.file(honest, 'h', 1)
  const bytesOf = (prefix: string) =>
    [...world.bytes].reduce((sum, [name, bytes]) => (name.startsWith(prefix) ? sum + bytes : sum), 0)
  world.pass(LINK_LOOK_MS)
  const before = bytesOf('g')
  world.pass(2 * LINK_LOOK_MS)
  assert.ok(world.turns.waiting > 10)
  assert.ok(
    Math.abs(bytesOf('g') - before - (bytesOf('h') - 1024)) < 40_000,
    'as much for one address as for the other',
  )
  assert.ok(bytesOf('h') > 10 * 1024)
})

test('when the node has been done for a second, all that wait go on', () => {
  const world = new World()
  const over = world.node()
  for (const name of names(100)) world.file(greedy, name)
  over()
  over()
  world.node()()
  world.pass(999)
  assert.ok(world.turns.waiting > 20)
  world.pass(1)
  assert.equal(world.took().length, 100)
  assert.equal(world.turns.waiting, 0)
})

test('a turn that crawls holds up nobody, for as long as it crawls', () => {
  const world = new World()
  let isCrawling = false
  world.node(node, 10, () => isCrawling)
  for (const name of names(500)) world.file(greedy, name, 50)
  world.pass(2 * LINK_LOOK_MS)
  assert.ok(world.turns.waiting > 400)
  isCrawling = true
  world.pass(LINK_LOOK_MS)
  assert.equal(world.turns.waiting, 0)
  world.took()
  world.pass(50)
  assert.equal(world.took().length, 500)
  isCrawling = false
  world.pass(LINK_LOOK_MS)
  world.took()
  world.pass(LINK_LOOK_MS)
  assert.ok(world.turns.waiting > 0)
})

for (const { count, addresses } of [
  { count: 64, addresses: 4 },
  { count: 200, addresses: 200 },
  { count: 500, addresses: 1 },
]) {
  test(`${count} files of ${addresses} addresses have a part each in every two seconds, however slow the link is`, () => {
    const world = new World()
    // The node has the less the more the others have.
    world.turns.goesFirst(node, {
      movedBytes: () => world.nowMs * 300 - [...world.bytes.values()].reduce((sum, bytes) => sum + bytes, 0),
      isCrawling: () => false,
    })
    for (const name of names(count)) world.file(`10.1.${Number(name) % addresses}.1`, name, 5)
    world.pass(LINK_LOOK_MS)
    for (let round = 0; round < 5; round += 1) {
      world.took()
      world.pass(2100)
      assert.equal(world.took().length, count)
    }
  })
}

test('files that end give back their place, and read what they waited for', () => {
  const world = new World()
  world.node()
  const files = names(20).map((name) => world.file(greedy, name))
  world.took()
  files[19]?.end()
  files[19]?.end()
  assert.deepEqual(world.took(), ['19'])
  const { waiting } = world.turns
  assert.ok(waiting > 1)
  for (const file of files) file.end()
  assert.equal(world.took().length, waiting)
  assert.equal(world.turns.waiting, 0)
  // A stream that reads once more to close its file.
  files[3]?.next()
  assert.deepEqual(world.took(), ['3'])
  world.pass(2 * LINK_LOOK_MS)
  assert.deepEqual(world.timers, [])
})

test('it is known who has waited since he was asked last', () => {
  const world = new World()
  const free = world.file(honest, 'free')
  const over = world.node()
  const files = names(20).map((name) => world.file(greedy, name))
  assert.deepEqual([free.takeWaited(), files[19]?.takeWaited(), files[19]?.takeWaited()], [false, true, true])
  over()
  world.pass(1000)
  assert.deepEqual([files[19]?.takeWaited(), files[19]?.takeWaited()], [true, false])
})

test('whatever comes and goes, each part is read once, none is too large, and nothing is left', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = randomFrom(seed)
    const world = new TurnsWorld()
    const nodes: (() => void)[] = []
    const files: { want(): void; end(): void }[] = []
    const counts = { wanted: 0, read: 0 }
    const address = () => `10.0.${random(3)}.1`
    const begin = () => {
      const turn = world.turns.enter(address())
      let isWaiting = false
      const want = () => {
        if (isWaiting) return
        isWaiting = true
        counts.wanted += 1
        const wantedBytes = 1 + random(SEND_PART_BYTES_MAX)
        turn.read(wantedBytes, (bytes) => {
          assert.ok(isWaiting && bytes > 0 && bytes <= wantedBytes, `seed ${seed}`)
          isWaiting = false
          counts.read += 1
          if (random(3) === 0) want()
        })
      }
      files.push({ want, end: turn.end })
    }
    const boot = () => {
      const sinceMs = world.nowMs
      const pace = random(200_000)
      const crawlsAfterMs = random(5000)
      nodes.push(
        world.turns.goesFirst(address(), {
          movedBytes: () => (world.nowMs - sinceMs) * pace,
          isCrawling: () => world.nowMs - sinceMs > crawlsAfterMs,
        }),
      )
    }
    for (let step = 0; step < 400; step += 1) {
      const acts = [
        begin,
        boot,
        () => files[random(files.length)]?.want(),
        () => files[random(files.length)]?.want(),
        () => files.splice(random(files.length), 1)[0]?.end(),
        () => nodes.splice(random(nodes.length), 1)[0]?.(),
        () => world.pass(random(700)),
      ]
      acts[random(acts.length)]?.()
    }
    for (const over of nodes) over()
    world.pass(1000)
    assert.deepEqual([world.turns.waiting, counts.read], [0, counts.wanted], `seed ${seed}`)
    for (const { end } of files) end()
    world.pass(2 * LINK_LOOK_MS)
    assert.deepEqual(world.timers, [], `seed ${seed}`)
  }
})
