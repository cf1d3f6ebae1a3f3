import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendTurns } from '../../../server/http/send-turns.js'

const [node, greedy, honest] = ['10.0.0.1', '10.0.0.2', '10.0.0.3']

/** Files that are sent in virtual time. */
class World {
  nowMs = 0
  /** Whose parts were read, in order. */
  readonly read: string[] = []
  readonly timers: { readonly atMs: number; readonly run: () => void }[] = []
  readonly turns = new SendTurns({ nowMs: () => this.nowMs, after: (ms, run) => this.after(ms, run) })

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, run }
    this.timers.push(timer)
    return () => {
      const at = this.timers.indexOf(timer)
      if (at >= 0) this.timers.splice(at, 1)
    }
  }

  /** A file of a client, which wants its first part now; `everyMs`: it takes the next one so long after each. */
  file(address: string, name: string, everyMs?: number) {
    const turn = this.turns.enter(address)
    const next = () =>
      turn.read(() => {
        this.read.push(name)
        if (everyMs !== undefined) this.after(everyMs, next)
      })
    next()
    return { ...turn, next }
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const [timer] = this.timers.sort((a, b) => a.atMs - b.atMs)
      if (timer === undefined || timer.atMs > untilMs) break
      this.timers.shift()
      this.nowMs = timer.atMs
      timer.run()
    }
    this.nowMs = untilMs
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
})

test('nodes in their turn hold up nobody behind their own address', () => {
  const world = new World()
  const over = [world.turns.goesFirst(honest), world.turns.goesFirst(honest)]
  for (const name of names(500)) world.file(honest, name)
  assert.equal(world.took().length, 500)
  // A node of another address is another matter, until it has ended.
  const other = world.turns.goesFirst(node)
  const late = world.file(honest, 'late')
  const last = world.file(honest, 'last')
  assert.deepEqual(world.took(), ['late'])
  assert.ok(last.isWaiting() && !late.isWaiting())
  other()
  world.pass(1000)
  assert.deepEqual(world.took(), ['last'])
  for (const end of over) end()
})

test('beside a node in its turn one file is read on at a time, of each address in turn', () => {
  const world = new World()
  world.turns.goesFirst(node)
  const files = names(3).map((name) => world.file(greedy, name))
  world.file(honest, 'h')
  assert.deepEqual(world.took(), ['0'])
  world.pass(99)
  files[0]?.next()
  assert.deepEqual(world.took(), ['0'])
  world.pass(1)
  assert.deepEqual(world.took(), ['1'])
  // Its turn is over, and others wait.
  files[0]?.next()
  assert.deepEqual(world.took(), [])
  world.pass(100)
  assert.deepEqual(world.took(), ['h'])
  world.pass(100)
  assert.deepEqual(world.took(), ['2'])
  files[2]?.end()
  assert.deepEqual(world.took(), ['0'])
  assert.deepEqual([world.turns.waiting, world.timers], [0, []])
  // Nobody waits: its turn goes on.
  world.pass(10_000)
  files[0]?.next()
  assert.deepEqual(world.took(), ['0'])
})

test('parts are small in a turn alone', () => {
  const { turns } = new World()
  const bytes: number[] = []
  const [one, other] = [turns.enter(greedy), turns.enter(greedy)]
  one.read((bytesMax) => bytes.push(bytesMax))
  turns.goesFirst(node)
  for (const turn of [one, one, other]) turn.read((bytesMax) => bytes.push(bytesMax))
  one.end()
  assert.deepEqual(bytes.splice(0), [Number.POSITIVE_INFINITY, 16_384, 16_384, 16_384])
  // One that has taken eight in its turn takes what it gets.
  for (let part = 1; part <= 9; part += 1) other.read((bytesMax) => bytes.push(bytesMax))
  assert.deepEqual(bytes.slice(-4), [16_384, 16_384, 65_536, 65_536])
})

test('when the node has been done for a second, all that wait go on', () => {
  const world = new World()
  const over = world.turns.goesFirst(node)
  for (const name of names(100)) world.file(greedy, name)
  assert.equal(world.took().length, 1)
  over()
  over()
  world.turns.goesFirst(node)()
  world.pass(999)
  assert.ok(world.turns.waiting > 0)
  world.read.length = 0
  world.pass(1)
  assert.ok(world.took().length > 50)
  assert.deepEqual([world.turns.waiting, world.timers], [0, []])
})

for (const { count, addresses } of [
  { count: 64, addresses: 4 },
  { count: 200, addresses: 200 },
  { count: 500, addresses: 1 },
]) {
  test(`${count} files of ${addresses} addresses have a turn each in every two seconds`, () => {
    const world = new World()
    world.turns.goesFirst(node)
    // Each takes a part in 5 ms when it has its turn.
    for (const name of names(count)) world.file(`10.1.${Number(name) % addresses}.1`, name, 5)
    for (let round = 0; round < 5; round += 1) {
      world.pass(2000)
      assert.equal(world.took().length, count)
    }
  })
}

test('files that end give back their turn and their place, and read what they waited for', () => {
  const world = new World()
  world.turns.goesFirst(node)
  const files = names(4).map((name) => world.file(greedy, name))
  assert.deepEqual(world.took(), ['0'])
  files[3]?.end()
  files[3]?.end()
  assert.deepEqual(world.took(), ['3'])
  files[0]?.end()
  assert.deepEqual(world.took(), ['1'])
  for (const file of files) file.end()
  assert.deepEqual(world.took(), ['2'])
  assert.deepEqual([world.turns.waiting, world.timers], [0, []])
  // A stream that reads once more to close its file.
  files[3]?.next()
  assert.deepEqual(world.took(), ['3'])
  world.file(honest, 'h')
  assert.deepEqual(world.took(), ['h'])
})
