import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodePage } from '../../../../server/api/operators/node-pages.js'
import { nodesQuery } from '../../../../server/api/operators/requests.js'
import type { OperatorNode } from '../../../../server/api/operators/schemas.js'
import { nodeView } from '../../../../server/api/operators/views.js'
import { newNode } from '../../../../server/nodes/state.js'
import type { MachineFacts } from '../../../../src/inventory.js'

const node = (id: string, more: Partial<OperatorNode> = {}): OperatorNode => ({
  ...nodeView(newNode(id, 'r1', `host-${id}`, '10.0.0.1', 1), {
    mac: undefined,
    label: '',
    approved: false,
    drained: undefined,
    nextBoot: undefined,
  }),
  cause: 'UNDER_WAY',
  ...more,
})

const nodes = [
  node('c', { state: 'failed', rack: 'r2', failure: { code: 'MEMORY_SHORT', message: 'too little' } }),
  node('a', { last_seen_ms: 3, label: 'fan broken' }),
  node('rig002', { state: 'booted', last_seen_ms: 2, boot_seconds: 9.5 }),
  node('b', { last_seen_ms: 3 }),
]

const machines: Readonly<Record<string, MachineFacts>> = {
  a: {
    dmi: { vendor: 'Dell Inc.', product: 'PowerEdge R740', serial: 'ABC123' },
    pci: ['8086:1533', '10de:2684'],
    macs: ['52:54:00:00:00:01', '52:54:00:00:00:02'],
  },
  b: { dmi: { product: 'X11', uuid: '4c4c-1' }, pci: ['1002:744c'], macs: [] },
}

/** The causes are those that the nodes have already; `asked`: of how many nodes they were asked for. */
function pageOf(of: readonly OperatorNode[], query: object, asked: { nodes: number } = { nodes: 0 }) {
  const causes = new Map(of.map(({ id, cause }) => [id, cause]))
  return nodePage(of, nodesQuery.parse(query), {
    withCauses: async (some) => {
      asked.nodes += some.length
      return some.map((one) => ({ ...one, cause: causes.get(one.id) ?? 'NOT_SEEN' }))
    },
    machineOf: (id) => machines[id],
  })
}

const ids = async (query: object, of = nodes) => {
  const page = await pageOf(of, query)
  return [...page.nodes.map(({ id }) => id), page.total]
}

test('nodes are filtered by each of the filters, and by all of them together', async () => {
  assert.deepEqual(await ids({}), ['a', 'b', 'c', 'rig002', 4])
  assert.deepEqual(await ids({ state: 'failed,booted' }), ['c', 'rig002', 2])
  assert.deepEqual(await ids({ rack: 'r2,r9' }), ['c', 1])
  assert.deepEqual(await ids({ nodes: 'rig[001-240],a' }), ['a', 'rig002', 2])
  assert.deepEqual(await ids({ nodes: 'host-b' }), ['b', 1])
  assert.deepEqual(await ids({ text: 'FAN' }), ['a', 1])
  assert.deepEqual(await ids({ text: 'memory' }), ['c', 1])
  assert.deepEqual(await ids({ text: 'host-', state: 'seen', nodes: 'a,c' }), ['a', 1])
  assert.deepEqual(await ids({ text: 'nothing like that' }), [0])
})

test('nodes are filtered by their MACs, and by where they stopped; causes are asked for where they are needed', async () => {
  const some = [
    node('rig1', { mac: '52:54:00:00:00:01', cause: 'LOST', rack: 'r2' }),
    node('52:54:00:00:00:02', { mac: '52:54:00:00:00:02', state: 'dhcp', cause: 'NO_DHCP_ANSWER' }),
    node('rig3', { cause: 'LOST' }),
  ]
  assert.deepEqual(await ids({ nodes: '5254.0000.0001' }, some), ['rig1', 1])
  assert.deepEqual(await ids({ state: 'dhcp,starting' }, some), ['52:54:00:00:00:02', 1])
  assert.deepEqual(await ids({ cause: 'LOST,NO_AGENT' }, some), ['rig1', 'rig3', 2])
  assert.deepEqual(await ids({ cause: 'LOST,NO_DHCP_ANSWER', rack: 'r2' }, some), ['rig1', 1])
  const asked = { nodes: 0 }
  const page = await pageOf(some, { limit: '1' }, asked)
  assert.deepEqual([page.nodes[0]?.cause, page.total, asked.nodes], ['NO_DHCP_ANSWER', 3, 1])
  assert.deepEqual((await pageOf(some, { limit: '1', cause: 'LOST' })).total, 2)
})

test('nodes are filtered by what their machines are; one whose machine is not known is none of them', async () => {
  assert.deepEqual(await ids({ serial: 'ABC123' }), ['a', 1])
  assert.deepEqual(await ids({ serial: 'abc*,other' }), ['a', 1])
  assert.deepEqual(await ids({ vendor: 'dell*', product: '*R7*' }), ['a', 1])
  assert.deepEqual(await ids({ product: 'PowerEdge' }), [0])
  assert.deepEqual(await ids({ product: '*' }), ['a', 'b', 2])
  assert.deepEqual(await ids({ uuid: '4C4C-*' }), ['b', 1])
  assert.deepEqual(await ids({ pci: '10de:*' }), ['a', 1])
  assert.deepEqual(await ids({ pci: '10de:*,1002:*' }), ['a', 'b', 2])
  assert.deepEqual(await ids({ pci: '10de:*', product: 'X11' }), [0])
  assert.deepEqual(await ids({ mac: '52:54:00:00:00:02' }), ['a', 1])
  const seen = [node('c', { mac: '02:00:00:00:00:09' }), node('a')]
  assert.deepEqual(await ids({ mac: '02:*' }, seen), ['c', 1])
})

test('nodes are sorted by a column, those that are equal by their identity', async () => {
  assert.deepEqual(await ids({ sort: 'last_seen_ms' }), ['c', 'rig002', 'a', 'b', 4])
  assert.deepEqual(await ids({ sort: '-last_seen_ms' }), ['b', 'a', 'rig002', 'c', 4])
  assert.deepEqual(await ids({ sort: '-boot_seconds' }), ['rig002', 'c', 'b', 'a', 4])
  assert.deepEqual(await ids({ sort: '-id' }), ['rig002', 'c', 'b', 'a', 4])
})

test('page by page every node comes once, whatever it is sorted by', async () => {
  const many = Array.from({ length: 25 }, (_, n) =>
    node(`n${String(n).padStart(2, '0')}`, { last_seen_ms: n % 3, rack: `r${n % 2}` }),
  )
  for (const sort of ['id', '-id', 'rack', '-rack', 'last_seen_ms', '-last_seen_ms']) {
    const seen: string[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await pageOf(many, { sort, limit: '7', ...(cursor === undefined ? {} : { cursor }) })
      assert.equal(page.total, 25)
      seen.push(...page.nodes.map(({ id }) => id))
      cursor = page.next ?? undefined
      pages += 1
    } while (cursor !== undefined)
    assert.equal(pages, 4, sort)
    assert.deepEqual(
      seen,
      (await pageOf(many, { sort, limit: '1000' })).nodes.map(({ id }) => id),
    )
  }
})

test('a node that has gone meanwhile loses no other one', async () => {
  const first = await pageOf(nodes, { limit: '2' })
  const left = nodes.filter(({ id }) => id !== 'b')
  assert.deepEqual(await ids({ cursor: first.next ?? '' }, left), ['c', 'rig002', 3])
})

test('a hostlist, a cursor and a state that are none are refused', async () => {
  for (const cursor of [
    '',
    'x',
    'bnVsbA',
    Buffer.from('[1]').toString('base64url'),
    Buffer.from('[{},"a"]').toString('base64url'),
  ]) {
    await assert.rejects(ids({ cursor }), { code: 'REQUEST_INVALID' }, cursor)
  }
  for (const list of ['rig[1', 'rig[1-99999]', ',', 'Ä']) {
    await assert.rejects(ids({ nodes: list }), { code: 'REQUEST_INVALID' }, list)
  }
  for (const query of [
    { state: 'broken' },
    { state: '' },
    { cause: 'broken' },
    { cause: 'LOST,' },
    { sort: 'failure' },
    { limit: '1001' },
    { limit: '0' },
    { what: '1' },
  ])
    assert.equal(nodesQuery.safeParse(query).success, false, JSON.stringify(query))
})
