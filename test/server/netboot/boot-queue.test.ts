import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BootQueue, nodeKey, queueTimes } from '../../../server/netboot/boot-queue.js'

const fileBytes = 5_000_000

/** A queue whose nodes have an address each, unless it is said after an `@`. */
class Desk {
  readonly queue: BootQueue
  nowMs = 0
  readonly #loads = new Map<string, number>()

  constructor(slots: number, ...max: number[]) {
    this.queue = new BootQueue(slots, ...max)
  }

  ask(...nodes: string[]): string[] {
    return nodes.map((node) => this.queue.ask(...idOf(node), this.nowMs).kind)
  }

  /** Answers a node that waits. */
  place(node: string): readonly [number, number] {
    const { position, of } = this.queue.answered(...idOf(node), this.nowMs)
    return [position, of]
  }

  /** Whether it may load. */
  begin(node: string, file = 'kernel'): boolean {
    const load = this.queue.loading(...idOf(node), file, this.nowMs)
    if (load !== undefined) this.#loads.set(`${node} ${file}`, load)
    return load !== undefined
  }

  moved(node: string, bytes: number, file = 'kernel'): void {
    this.queue.moved(this.#load(node, file), bytes)
  }

  end(node: string, file = 'kernel', isWhole = true): void {
    this.queue.loaded(this.#load(node, file), file, isWhole, 2, this.nowMs)
  }

  crawls(node: string, file = 'kernel'): boolean {
    return this.queue.isCrawling(this.#load(node, file), this.nowMs)
  }

  /** Loads both files in so many milliseconds. */
  load(node: string, tookMs: number): void {
    for (const file of ['kernel', 'stage1']) {
      assert.ok(this.begin(node, file), node)
      this.nowMs += tookMs / 2
      this.moved(node, fileBytes, file)
      this.end(node, file)
    }
  }

  /** Those who have been given their turn since the last time, and whose downloads make room. */
  changes(): { given: string[]; closed: string[] } {
    const { given, closed } = this.queue.takeChanges()
    const nameOf = (load: number) => [...this.#loads].find(([, number]) => number === load)?.[0] ?? ''
    return { given: given.map((key) => key.split(' ')[0] ?? ''), closed: closed.map(nameOf) }
  }

  settle(byMs = 0): this {
    this.nowMs += byMs
    this.queue.settle(this.nowMs)
    return this
  }

  stats() {
    const { loading, overtaken, waiting, admitted, completed, expired } = this.queue.stats(this.nowMs)
    return { loading: loading.join(' '), overtaken, waiting, admitted, completed, expired }
  }

  #load(node: string, file: string): number {
    const load = this.#loads.get(`${node} ${file}`)
    assert.ok(load !== undefined)
    return load
  }
}

function idOf(node: string): [string, string] {
  const [mac = '', address = mac] = node.split('@')
  return [mac, address]
}

test('admits a few at a time, the others in the order of their coming', () => {
  const desk = new Desk(2)
  assert.deepEqual(desk.ask('a', 'b', 'c', 'd', 'e'), ['go', 'go', 'wait', 'wait', 'wait'])
  assert.deepEqual(
    ['e', 'c', 'd'].map((node) => desk.place(node)),
    [
      [3, 3],
      [1, 3],
      [2, 3],
    ],
  )
  assert.deepEqual(desk.ask('a', 'c', 'd', 'e'), ['go', 'wait', 'wait', 'wait'])
  assert.ok(desk.begin('a'))
  assert.ok(desk.begin('b'))
  assert.ok(!desk.begin('c'))
  desk.nowMs = 500
  desk.end('a')
  assert.deepEqual(desk.changes().given, [])
  desk.begin('a', 'stage1')
  desk.end('a', 'stage1')
  // Its request is held: it is told at once.
  assert.deepEqual(desk.changes().given, ['c'])
  assert.deepEqual(desk.ask('c', 'd'), ['go', 'wait'])
  const expected = { loading: 'b c', overtaken: 0, waiting: 2, admitted: 3, completed: 1, expired: 0 }
  assert.deepEqual(desk.stats(), expected)
})

test('a node that sleeps, or is gone, holds nobody up; one that is back has kept its place', () => {
  const desk = new Desk(1)
  desk.ask('a', 'b', 'c', 'd')
  desk.place('b')
  desk.load('a', 200)
  assert.deepEqual(desk.changes().given, ['c'])
  assert.ok(desk.begin('c'))
  desk.moved('c', 1e12)
  desk.nowMs = 800
  desk.ask('b')
  assert.deepEqual(desk.place('b'), [1, 2])
})

test('a turn that no download follows is another node’s after a second; a late download is served all the same', () => {
  const desk = new Desk(1)
  desk.ask('a', 'b', 'c')
  assert.deepEqual(desk.settle(queueTimes.unused).changes().given, [])
  assert.deepEqual(desk.settle(1).changes().given, ['b'])
  assert.ok(desk.begin('a'), 'iPXE would take an error for the end')
  assert.ok(desk.begin('b'))
  assert.deepEqual(desk.stats(), { ...desk.stats(), loading: 'a b', overtaken: 1, waiting: 1 })
  // It does not take the place of another again, and neither does one that pauses between its files.
  desk.end('b')
  desk.settle(queueTimes.unused + 1)
  assert.deepEqual(desk.changes().given, ['c'])
  desk.settle(queueTimes.forgotten)
  assert.ok(!desk.begin('b'), 'it is forgotten, and asks for its script again')
})

test('nobody loses a turn while nobody waits', () => {
  const desk = new Desk(1)
  desk.ask('a')
  desk.settle(queueTimes.unused + 1)
  desk.begin('a')
  desk.settle(queueTimes.longest + 1)
  assert.equal(desk.stats().overtaken, 0)
  desk.end('a', 'kernel', false)
  // Cut off: it may go on for a while.
  desk.settle(queueTimes.forgotten)
  assert.ok(desk.begin('a'))
})

test('a turn whose bytes crawl beside what turns have moved is given to the next, and its download goes on', () => {
  const desk = new Desk(2)
  desk.ask('first', 'slow', 'crawls')
  desk.load('first', 1000)
  assert.deepEqual(desk.changes().given, ['crawls'])
  // 10,000 bytes a millisecond: with both slots in use a turn would move 5,000, and crawls below a quarter of that.
  desk.begin('slow')
  desk.begin('crawls')
  desk.ask('next')
  const judge = (slowBytes: number, crawlsBytes: number) => {
    desk.moved('slow', slowBytes)
    desk.moved('crawls', crawlsBytes)
    return desk.settle().changes().given
  }
  desk.nowMs += queueTimes.judged - 1000
  assert.deepEqual(judge(0, 0), [], 'too early to judge')
  desk.nowMs += 1001
  assert.deepEqual(judge(8_000_000, 7_000_000), ['next'])
  assert.deepEqual(desk.changes().closed, [])
  desk.end('crawls')
  assert.ok(desk.begin('crawls', 'stage1'), 'the other file is its right too')
  assert.equal(desk.stats().overtaken, 1)
})

test('a download crawls by the same measure, also while nobody waits', () => {
  const desk = new Desk(2)
  desk.ask('first', 'slow', 'crawls')
  desk.load('first', 1000)
  desk.begin('slow')
  desk.begin('crawls')
  desk.nowMs += queueTimes.judged
  desk.moved('slow', 8_000_000)
  desk.moved('crawls', 6_000_000)
  assert.deepEqual([desk.crawls('slow'), desk.crawls('crawls')], [false, false], 'too early to judge')
  desk.nowMs += 1
  assert.deepEqual([desk.crawls('slow'), desk.crawls('crawls')], [false, true])
  assert.equal(desk.stats().overtaken, 0)
  desk.moved('crawls', 7_000_000)
  assert.equal(desk.crawls('crawls'), false)
  // Given to the next, it stays overtaken.
  desk.nowMs += 1000
  desk.moved('slow', 10_000_000)
  desk.ask('next')
  desk.moved('crawls', 30_000_000)
  assert.deepEqual([desk.crawls('slow'), desk.crawls('crawls')], [false, true])
})

test('where all crawl and nothing tells why, one more is let in, until so many more load as there are slots', () => {
  const desk = new Desk(2)
  const nodes = ['a', 'b', 'c', 'd', 'e', 'f']
  desk.ask('a', 'b')
  for (const node of ['a', 'b']) desk.begin(node)
  desk.ask('c', 'd', 'e', 'f')
  const given: string[][] = []
  for (let round = 0; round < 4; round += 1) {
    desk.ask('c', 'd', 'e', 'f')
    for (const node of nodes)
      if (desk.begin(node, `kernel ${round}`)) desk.moved(node, 1000, `kernel ${round}`)
    given.push(desk.settle(queueTimes.judged + 1).changes().given)
  }
  assert.deepEqual(given, [['c'], ['d'], [], []])
})

test('an address with more turns goes after one with fewer, and makes room for it', () => {
  const desk = new Desk(2)
  const greedy = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}@10.0.0.9`)
  desk.ask(...greedy)
  desk.ask('honest', 'other')
  // Two of the one address load; of those that wait the two others go first.
  for (const node of greedy) desk.begin(node)
  assert.deepEqual(desk.place('honest'), [1, 6])
  assert.deepEqual(desk.place('c@10.0.0.9'), [3, 6])
  desk.ask('honest', ...greedy)
  desk.settle(queueTimes.judged + 1)
  assert.deepEqual(desk.changes().given, ['honest'])
  desk.begin('honest')
  desk.load('honest', 1000)
  assert.deepEqual(desk.changes().given, ['other', 'c'])
})

test('what is under way is bounded: the slowest of the address that has most makes room', () => {
  const desk = new Desk(1)
  desk.ask('first')
  desk.load('first', 1000)
  const crawlers = Array.from({ length: 12 }, (_, index) => `crawler${index}@10.0.0.${index % 2}`)
  for (const [index, node] of crawlers.entries()) {
    desk.ask(node)
    desk.settle(queueTimes.judged + 1)
    if (desk.begin(node)) desk.moved(node, 1000 - index)
  }
  assert.equal(desk.stats().overtaken, 8)
  assert.deepEqual(desk.ask('crawler0@10.0.0.2', 'crawler1@10.0.0.2'), ['go', 'wait'])
  assert.deepEqual(desk.changes().closed, ['crawler0@10.0.0.0 kernel'])
  assert.ok(!desk.begin('crawler0@10.0.0.0'))
})

test('one turn is for one copy of each file, and for two downloads at a time', () => {
  const desk = new Desk(1)
  desk.ask('a', 'b')
  assert.ok(desk.begin('a', 'kernel'))
  assert.ok(desk.begin('a', 'stage1'))
  assert.ok(desk.begin('a', 'more'))
  assert.deepEqual(desk.changes().closed, ['a kernel'])
  desk.end('a', 'more')
  assert.deepEqual(desk.changes().given, [])
  desk.begin('a', 'more')
  assert.deepEqual(desk.settle().changes().given, ['b'])
})

test('nobody takes a node’s turn or place from another address', () => {
  const desk = new Desk(1)
  desk.ask('a@10.0.0.1', 'b@10.0.0.2', 'b@10.0.0.66')
  assert.ok(!desk.begin('a@10.0.0.66'))
  assert.ok(desk.begin('a@10.0.0.1'))
  desk.place('b@10.0.0.66')
  desk.end('a@10.0.0.1')
  desk.load('a@10.0.0.1', 10)
  assert.deepEqual(desk.changes().given, ['b'])
  assert.ok(desk.begin('b@10.0.0.2'))
})

test('a node is one MAC address at one IP address', () => {
  assert.notEqual(nodeKey('52:54:00:00:00:01', '10.0.0.1'), nodeKey('52:54:00:00:00:01', '10.0.0.2'))
})
