import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HANDSHAKES_MAX, HANDSHAKES_MIN, HandshakeWindow } from '../../../server/http/handshake-window.js'

const overdueMs = 1000
const addressMax = HANDSHAKES_MIN / 4
/** Of addresses that have their part, while nobody else waits. */
const freeMax = (3 * HANDSHAKES_MIN) / 4

/** A window before which `count` connections wait, each of an address of its own: `0-0`, `1-0`. */
function crowd(count: number): HandshakeWindow<string> {
  const window = new HandshakeWindow<string>(overdueMs)
  for (const who of names(0, count)) window.arrive(who, addressOf(who))
  return window
}

const names = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${from + index}-0`)

const addressOf = (who: string) => who.split('-')[0] ?? ''

test('first come, first served, so many at a time', () => {
  const window = crowd(HANDSHAKES_MIN + 3)
  assert.deepEqual(window.next(0), names(0, HANDSHAKES_MIN))
  assert.deepEqual(window.next(1), [])
  window.leave('5-0', '5')
  window.leave('5-0', '5')
  assert.deepEqual(window.next(2), names(HANDSHAKES_MIN, HANDSHAKES_MIN + 1))
  window.leave('1-0', '1')
  window.leave('2-0', '2')
  window.leave('3-0', '3')
  assert.deepEqual(window.next(3), names(HANDSHAKES_MIN + 1, HANDSHAKES_MIN + 3))
  assert.equal(window.inside, HANDSHAKES_MIN - 1)
})

test('an address has one turn in each round, and never the whole window', () => {
  const window = new HandshakeWindow<string>(overdueMs)
  const many = Array.from({ length: 2 * addressMax }, (_, index) => `a-${index}`)
  for (const who of many) window.arrive(who, 'a')
  const others = HANDSHAKES_MIN - addressMax
  for (const who of names(0, others)) window.arrive(who, addressOf(who))
  const turns = window.next(0)
  assert.deepEqual(turns.slice(0, 3), ['a-0', '0-0', '1-0'])
  assert.deepEqual(
    turns.filter((who) => addressOf(who) === 'a'),
    many.slice(0, addressMax),
  )
  for (const who of names(others, 2 * HANDSHAKES_MIN)) window.arrive(who, addressOf(who))
  assert.deepEqual(window.next(1), [])
  window.leave('a-0', 'a')
  window.leave('0-0', '0')
  const [first] = window.next(2)
  assert.notEqual(first, many[addressMax], 'others have waited for longer than its turn')
  for (let turn = 0; turn < 2 * HANDSHAKES_MIN; turn += 1) {
    window.leave(`${turn}-0`, `${turn}`)
    if (window.next(3).includes(`a-${addressMax}`)) return
  }
  assert.fail('it has no turn any more')
})

test('who takes too long no longer keeps others waiting, and is looked at in time', () => {
  const window = crowd(HANDSHAKES_MIN)
  assert.equal(window.next(0).length, HANDSHAKES_MIN)
  assert.equal(window.lookAtMs, undefined, 'nobody waits')
  window.arrive('late', 'late')
  assert.deepEqual(window.next(overdueMs - 1), [])
  assert.equal(window.lookAtMs, overdueMs)
  assert.deepEqual(window.next(overdueMs), ['late'])
  assert.equal(window.inside, 1)
  window.finish('0-0', overdueMs + 1)
  window.leave('1-0', '1')
  assert.equal(window.inside, 1)
})

test('while nobody else waits one address may have most of the window, and others find room at once', () => {
  const window = new HandshakeWindow<string>(overdueMs)
  for (let index = 0; index <= freeMax; index += 1) window.arrive(`a-${index}`, 'a')
  assert.equal(window.next(0).length, freeMax)
  assert.equal(window.lookAtMs, overdueMs)
  for (const who of names(0, addressMax)) window.arrive(who, addressOf(who))
  assert.deepEqual(window.next(1), names(0, addressMax))
  window.leave('a-0', 'a')
  window.arrive('9-0', '9')
  assert.deepEqual(window.next(2), ['9-0'])
  assert.deepEqual(window.next(overdueMs), [`a-${freeMax}`])
})

test('several addresses that have their part take turns with the rest', () => {
  const window = new HandshakeWindow<string>(overdueMs)
  for (let index = 0; index < HANDSHAKES_MIN; index += 1)
    for (const address of ['a', 'b']) window.arrive(`${address}-${index}`, address)
  const turns = window.next(0)
  assert.equal(turns.length, freeMax)
  for (const address of ['a', 'b'])
    assert.equal(turns.filter((who) => addressOf(who) === address).length, freeMax / 2)
})

test('who gives up while it waits has no turn', () => {
  const window = crowd(3)
  window.arrive('0-1', '0')
  window.arrive('0-2', '0')
  window.leave('1-0', '1')
  window.leave('0-1', '0')
  assert.deepEqual(window.next(0), ['0-0', '2-0', '0-2'])
  window.arrive('0-3', '0')
  window.leave('0-3', '0')
  assert.deepEqual(window.next(1), [])
  assert.equal(window.lookAtMs, undefined)
})

test('quick handshakes widen the window, slow ones narrow it, within bounds', () => {
  const window = crowd(10_000)
  let nowMs = 0
  const rounds = (count: number, tookMs: number) => {
    for (let round = 0; round < count; round += 1) {
      const inside = window.next(nowMs)
      nowMs += tookMs
      for (const who of inside) window.finish(who, nowMs)
    }
    return window.size
  }
  assert.equal(rounds(20, 300), HANDSHAKES_MIN)
  assert.equal(rounds(20, 75), HANDSHAKES_MIN, 'neither quick nor slow')
  assert.equal(rounds(1, 10), 2 * HANDSHAKES_MIN)
  assert.equal(rounds(10, 10), HANDSHAKES_MAX)
  assert.equal(rounds(1, 75), HANDSHAKES_MAX)
  assert.equal(rounds(5, 300), HANDSHAKES_MIN)
})

test('5,000 nodes that take 10 ms for their part are through in less than a second', () => {
  const window = crowd(5000)
  let nowMs = 0
  for (let left = 5000; left > 0; nowMs += 10) {
    const inside = window.next(nowMs)
    for (const who of inside) window.finish(who, nowMs + 10)
    left -= inside.length
  }
  assert.ok(nowMs < 1000, `${nowMs} ms`)
})

test('whatever comes and goes, the bounds hold and everybody has a turn', () => {
  let state = 7
  const below = (n: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const window = new HandshakeWindow<string>(overdueMs)
  const waiting = new Set<string>()
  const inside = new Map<string, number>()
  let nowMs = 0
  const take = () => {
    for (const [who, since] of inside) if (since + overdueMs <= nowMs) inside.delete(who)
    for (const who of window.next(nowMs)) {
      assert.ok(waiting.delete(who), `${who} had no turn before, and has not gone`)
      inside.set(who, nowMs)
    }
    assert.equal(window.inside, inside.size)
    assert.ok(inside.size <= window.size)
    for (const who of inside.keys()) {
      const same = [...inside.keys()].filter((other) => other.charAt(0) === who.charAt(0))
      assert.ok(same.length <= (window.size * 3) / 4)
    }
  }
  for (let step = 0; step < 5000; step += 1) {
    nowMs += below(50)
    const chosen = below(3)
    if (chosen === 0) {
      for (let index = below(5); index >= 0; index -= 1) {
        const who = `${'abcdef'.charAt(below(6))}${step}-${index}`
        waiting.add(who)
        window.arrive(who, who.charAt(0))
      }
    } else {
      const all = [...(chosen === 1 ? inside.keys() : waiting)]
      const leaver = all[below(all.length)]
      if (leaver !== undefined && (chosen === 1 || below(4) === 0)) {
        inside.delete(leaver)
        waiting.delete(leaver)
        window.leave(leaver, leaver.charAt(0))
      }
    }
    take()
  }
  assert.ok(waiting.size > 100, 'it was full most of the time')
  while (waiting.size > 0) {
    const { lookAtMs } = window
    assert.ok(lookAtMs !== undefined && lookAtMs > nowMs, `${waiting.size} wait`)
    nowMs = lookAtMs
    take()
  }
})
