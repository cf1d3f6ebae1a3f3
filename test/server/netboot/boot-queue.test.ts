import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BootQueue, queueTimes } from '../../../server/netboot/boot-queue.js'
import { randomFrom } from '../../fuzz.js'

const kinds = (queue: BootQueue, nodes: readonly string[], nowMs: number) =>
  nodes.map((node) => queue.ask(node, nowMs).kind)

test('admits a few at a time, the others in the order of their coming', () => {
  const queue = new BootQueue(2)
  assert.deepEqual(kinds(queue, ['a', 'b', 'c', 'd', 'e'], 0), ['go', 'go', 'wait', 'wait', 'wait'])
  assert.deepEqual(
    ['e', 'c', 'd'].map((node) => {
      const answer = queue.ask(node, 1)
      return answer.kind === 'wait' ? [answer.position, answer.of] : answer.kind
    }),
    [
      [3, 3],
      [1, 3],
      [2, 3],
    ],
  )
  assert.equal(queue.ask('a', 2).kind, 'go')
  assert.ok(queue.fetching('a', 3))
  assert.equal(queue.fetching('c', 3), false)
  assert.equal(queue.fetched('a', 'kernel', true, 2, 500), false)
  assert.equal(queue.ask('d', 500).kind, 'wait')
  queue.fetching('a', 500)
  assert.equal(queue.fetched('a', 'stage1', true, 2, 900), true)
  assert.equal(queue.ask('d', 901).kind, 'wait')
  assert.equal(queue.ask('c', 902).kind, 'go')
  assert.deepEqual(queue.stats(902), {
    slots: 2,
    loading: ['b', 'c'],
    waiting: 2,
    longestWaitS: 1,
    admitted: 3,
    completed: 1,
    expired: 0,
  })
})

test('an admission ends that is not used, is cut off, or lasts too long', () => {
  const queue = new BootQueue(1)
  queue.ask('a', 0)
  queue.ask('b', 0)
  assert.equal(queue.ask('b', queueTimes.unused).kind, 'wait')
  assert.equal(queue.ask('b', queueTimes.unused + 1).kind, 'go')
  assert.equal(queue.fetching('a', queueTimes.unused + 2), false)
  let nowMs = queueTimes.unused + 2
  assert.ok(queue.fetching('b', nowMs))
  queue.ask('c', nowMs)
  const until = nowMs + queueTimes.longest
  for (; nowMs < until; nowMs += 1000) assert.equal(queue.ask('c', nowMs).kind, 'wait')
  assert.equal(queue.ask('c', until).kind, 'go')
  assert.equal(queue.stats(until).expired, 2)
  // Cut off in the middle: the node may try again at once, and loses its place if it does not.
  assert.ok(queue.fetching('c', until))
  assert.equal(queue.fetched('c', 'kernel', false, 2, until + 5), false)
  assert.equal(queue.ask('c', until + 6).kind, 'go')
  assert.equal(queue.ask('d', until + 6).kind, 'wait')
  assert.equal(queue.ask('d', until + 6 + queueTimes.unused).kind, 'go')
})

test('a node that sleeps, or is gone, holds nobody up; one that is back has kept its place', () => {
  const queue = new BootQueue(1)
  for (const node of ['a', 'b', 'c', 'd']) queue.ask(node, 0)
  queue.released('b', 3, 100)
  queue.fetching('a', 100)
  queue.fetched('a', 'both', true, 1, 200)
  assert.equal(queue.ask('c', 300).kind, 'go')
  assert.ok(queue.fetching('c', 300))
  const back = queue.ask('b', 3000)
  assert.deepEqual(back.kind === 'wait' && [back.position, back.of], [1, 2])
  queue.released('b', 0, 3000)
  queue.ask('d', 3000 + queueTimes.grace)
  assert.equal(queue.stats(3001 + queueTimes.grace).waiting, 1)
})

test('addresses that somebody makes up take no more than their room, and nobody loses a place by them', () => {
  const waitingMax = 256
  const queue = new BootQueue(1, waitingMax)
  assert.equal(queue.ask('loads', 0).kind, 'go')
  assert.ok(queue.fetching('loads', 0))
  assert.equal(queue.ask('honest', 0).kind, 'wait')
  queue.released('honest', 3, 0)
  let nowMs = 0
  for (let made = 0; made < 100_000; made += 1) {
    // 32 new ones in each second; each asks once and hangs up.
    nowMs = Math.floor((made * 1000) / 32)
    queue.ask(`made-up-${made}`, nowMs)
    queue.released(`made-up-${made}`, 0, nowMs)
    assert.ok(queue.stats(nowMs).waiting <= waitingMax)
    if (made % 128 === 0) {
      const answer = queue.ask('honest', nowMs)
      assert.equal(answer.kind === 'wait' && answer.position, 1)
      queue.released('honest', 3, nowMs)
    }
    if (nowMs >= queueTimes.longest - 5000) break
  }
  // All in one moment: the memory is bounded all the same, and the honest one that asks between them stays.
  for (let made = 0; made < 100_000; made += 1) {
    queue.ask(`burst-${made}`, nowMs + made / 1000)
    queue.released(`burst-${made}`, 3, nowMs + made / 1000)
    if (made % 100 === 0) assert.equal(queue.ask('honest', nowMs + made / 1000).kind, 'wait')
  }
  assert.equal(queue.stats(nowMs + 100).waiting, waitingMax)
  queue.fetched('loads', 'both', true, 1, nowMs + 100)
  assert.equal(queue.ask('honest', nowMs + 100).kind, 'go')
})

test('with all places held nobody is driven out, and a newcomer waits unremembered', () => {
  const queue = new BootQueue(1, 2)
  for (const node of ['loads', 'a', 'b']) queue.ask(node, 0)
  const late = queue.ask('c', 1)
  assert.deepEqual(late.kind === 'wait' && [late.position, late.of], [3, 3])
  assert.equal(queue.stats(1).waiting, 2)
  queue.released('a', 0, 2)
  queue.ask('c', 3)
  // `a` has hung up and was silent for longest.
  const next = queue.ask('b', 4)
  assert.deepEqual(next.kind === 'wait' && [next.position, next.of], [1, 2])
})

test('500 nodes: each gets its turn, nearly in order, the places never empty, no wait unbounded', () => {
  const slots = 8
  const queue = new BootQueue(slots)
  const random = randomFrom(500)
  // A place is worth an eighth of the uplink: eight nodes are done in 0.6 s.
  const loadMs = 600
  interface Node {
    readonly name: string
    readonly arrivedMs: number
    nextMs: number
    heldUntilMs: number | undefined
    doneMs: number | undefined
  }
  const nodes = Array.from({ length: 500 }, (_, index): Node => {
    const arrivedMs = random(10_000)
    return { name: `n${index}`, arrivedMs, nextMs: arrivedMs, heldUntilMs: undefined, doneMs: undefined }
  })
  const loading = new Map<Node, number>()
  let idleMs = 0
  let nowMs = 0
  for (; nodes.some(({ doneMs }) => doneMs === undefined); nowMs += 10) {
    assert.ok(nowMs < 200_000)
    for (const [node, endMs] of loading) {
      if (nowMs < endMs) continue
      queue.fetched(node.name, 'kernel and stage 1', true, 1, nowMs)
      loading.delete(node)
      node.doneMs = nowMs
    }
    for (const node of nodes) {
      if (node.doneMs !== undefined || loading.has(node)) continue
      if (nowMs < node.nextMs) continue
      const answer = queue.ask(node.name, nowMs)
      if (answer.kind === 'go') {
        assert.ok(queue.fetching(node.name, nowMs))
        loading.set(node, nowMs + loadMs)
        continue
      }
      assert.ok(answer.sleepS <= 3)
      node.heldUntilMs ??= nowMs + answer.holdMs
      // Held: asks again at the next change, here at every step.
      if (answer.holdMs > 0 && nowMs < node.heldUntilMs) continue
      node.heldUntilMs = undefined
      queue.released(node.name, answer.sleepS, nowMs)
      node.nextMs = nowMs + answer.sleepS * 1000 + random(30)
    }
    const waiting = nodes.filter((node) => node.arrivedMs <= nowMs && node.doneMs === undefined)
    if (waiting.length >= slots && loading.size < slots) idleMs += 10 * (slots - loading.size)
  }
  const floorMs = (500 * loadMs) / slots
  assert.ok(nowMs <= floorMs * 1.1, `${nowMs} ms, the floor is ${floorMs}`)
  assert.ok(idleMs <= floorMs * slots * 0.05, `places were empty for ${idleMs} ms`)
  const inOrder = [...nodes].sort((a, b) => a.arrivedMs - b.arrivedMs)
  const shift = inOrder.map((node, index) => {
    const place = nodes.filter((other) => (other.doneMs ?? 0) < (node.doneMs ?? 0)).length
    return Math.abs(place - index)
  })
  assert.ok(Math.max(...shift) <= 100, `somebody was moved by ${Math.max(...shift)} places`)
})
