import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodePage } from '../../../../server/api/operators/node-pages.js'
import { nodesQuery, type OperatorNode } from '../../../../server/api/operators/schemas.js'
import { nodeView } from '../../../../server/api/operators/views.js'
import { newNode } from '../../../../server/nodes/state.js'

const node = (id: string, more: Partial<OperatorNode> = {}): OperatorNode => ({
  ...nodeView(newNode(id, 'r1', `host-${id}`, '10.0.0.1', 1), ''),
  ...more,
})

const nodes = [
  node('c', { state: 'failed', rack: 'r2', failure: { code: 'MEMORY_SHORT', message: 'too little' } }),
  node('a', { last_seen_ms: 3, label: 'fan broken' }),
  node('rig002', { state: 'booted', last_seen_ms: 2, boot_seconds: 9.5 }),
  node('b', { last_seen_ms: 3 }),
]

const ids = (query: object, of = nodes) => {
  const page = nodePage(of, nodesQuery.parse(query))
  return [...page.nodes.map(({ id }) => id), page.total]
}

test('nodes are filtered by each of the filters, and by all of them together', () => {
  assert.deepEqual(ids({}), ['a', 'b', 'c', 'rig002', 4])
  assert.deepEqual(ids({ state: 'failed,booted' }), ['c', 'rig002', 2])
  assert.deepEqual(ids({ rack: 'r2,r9' }), ['c', 1])
  assert.deepEqual(ids({ nodes: 'rig[001-240],a' }), ['a', 'rig002', 2])
  assert.deepEqual(ids({ nodes: 'host-b' }), ['b', 1])
  assert.deepEqual(ids({ text: 'FAN' }), ['a', 1])
  assert.deepEqual(ids({ text: 'memory' }), ['c', 1])
  assert.deepEqual(ids({ text: 'host-', state: 'seen', nodes: 'a,c' }), ['a', 1])
  assert.deepEqual(ids({ text: 'nothing like that' }), [0])
})

test('nodes are sorted by a column, those that are equal by their identity', () => {
  assert.deepEqual(ids({ sort: 'last_seen_ms' }), ['c', 'rig002', 'a', 'b', 4])
  assert.deepEqual(ids({ sort: '-last_seen_ms' }), ['b', 'a', 'rig002', 'c', 4])
  assert.deepEqual(ids({ sort: '-boot_seconds' }), ['rig002', 'c', 'b', 'a', 4])
  assert.deepEqual(ids({ sort: '-id' }), ['rig002', 'c', 'b', 'a', 4])
})

test('page by page every node comes once, whatever it is sorted by', () => {
  const many = Array.from({ length: 25 }, (_, n) =>
    node(`n${String(n).padStart(2, '0')}`, { last_seen_ms: n % 3, rack: `r${n % 2}` }),
  )
  for (const sort of ['id', '-id', 'rack', '-rack', 'last_seen_ms', '-last_seen_ms']) {
    const seen: string[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const query = nodesQuery.parse({ sort, limit: '7', ...(cursor === undefined ? {} : { cursor }) })
      const page = nodePage(many, query)
      assert.equal(page.total, 25)
      seen.push(...page.nodes.map(({ id }) => id))
      cursor = page.next ?? undefined
      pages += 1
    } while (cursor !== undefined)
    assert.equal(pages, 4, sort)
    assert.deepEqual(
      seen,
      nodePage(many, nodesQuery.parse({ sort, limit: '1000' })).nodes.map(({ id }) => id),
    )
  }
})

test('a node that has gone meanwhile loses no other one', () => {
  const first = nodePage(nodes, nodesQuery.parse({ limit: '2' }))
  const left = nodes.filter(({ id }) => id !== 'b')
  assert.deepEqual(ids({ cursor: first.next ?? '' }, left), ['c', 'rig002', 3])
})

test('a hostlist, a cursor and a state that are none are refused', () => {
  for (const cursor of [
    '',
    'x',
    'bnVsbA',
    Buffer.from('[1]').toString('base64url'),
    Buffer.from('[{},"a"]').toString('base64url'),
  ]) {
    assert.throws(() => ids({ cursor }), { code: 'REQUEST_INVALID' }, cursor)
  }
  for (const list of ['rig[1', 'rig[1-99999]', ',', 'Ä']) {
    assert.throws(() => ids({ nodes: list }), { code: 'REQUEST_INVALID' }, list)
  }
  for (const query of [
    { state: 'broken' },
    { state: '' },
    { sort: 'failure' },
    { limit: '1001' },
    { limit: '0' },
    { what: '1' },
  ])
    assert.equal(nodesQuery.safeParse(query).success, false, JSON.stringify(query))
})
