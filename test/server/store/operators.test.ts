import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Sqlite from 'better-sqlite3'
import { nextBootTable } from '../../../server/store/next-boots.js'
import { operatorTables, operatorWriter } from '../../../server/store/operators.js'
import { migrate } from '../../../server/store/schema.js'
import { type OperatorJob, openStore, type Store, type TokenRow } from '../../../server/store/store.js'
import { checkout, scratch } from '../../support/scratch.js'

function open(t: TestContext, file: string): Store {
  const store = openStore({ file, nowMs: 0, log: { warn: () => {} } })
  t.after(() => store.close())
  return store
}

const token = (id: string, more: Partial<TokenRow> = {}): TokenRow => ({
  ...{ id, sha256: 'ab'.repeat(32), role: 'admin', name: '', createdMs: 1, revokedMs: null },
  ...more,
})
const job = (change: OperatorJob['change'] = { kind: 'none' }, atMs = 5): OperatorJob => ({
  change,
  audit: { atMs, who: 'w', address: 'local', action: 'a', target: 't', detail: '' },
})
const made = (row: TokenRow) => job({ kind: 'token-made', token: row })
const label = (node: string, text: string, setMs = 1) => job({ kind: 'label', node, label: text, setMs })

const drain = (node: string, reason: string | null, drainedMs = 1) =>
  job({ kind: 'drain', node, reason, drainedMs })
const nextBoot = (node: string, content: string | null, setMs = 1) =>
  job({ kind: 'next-boot', node, content, setMs })
const approval = (node: string, approvedMs: number | null) => job({ kind: 'approval', node, approvedMs })

test('tokens, labels, approvals, drains and the audit trail are there after closing and opening', async (t) => {
  const file = join(scratch(t), 'db')
  const first = open(t, file)
  await first.saveOperator(made(token('b', { createdMs: 2, name: 'ci' })))
  await first.saveOperator(made(token('a')))
  await first.saveOperator(job({ kind: 'token-revoked', id: 'a', revokedMs: 9 }))
  // A second time changes nothing.
  await first.saveOperator(job({ kind: 'token-revoked', id: 'a', revokedMs: 99 }))
  await first.saveOperator(label('n1', 'one'))
  await first.saveOperator(label('n1', 'two'))
  await first.saveOperator(label('n2', 'gone'))
  await first.saveOperator(label('n2', ''))
  for (const node of ['n1', 'n2', 'n3', 'n4']) await first.saveOperator(approval(node, 1))
  await first.saveOperator(approval('n2', null))
  for (const node of ['n1', 'n2', 'n3']) await first.saveOperator(drain(node, `why ${node}`))
  await first.saveOperator(drain('n2', null))
  await first.saveOperator(job({ kind: 'forgotten', node: 'n3' }))
  await first.close()
  const { operators } = open(t, file)
  assert.deepEqual(operators.tokens(), [
    token('a', { revokedMs: 9 }),
    token('b', { createdMs: 2, name: 'ci' }),
  ])
  assert.deepEqual([...operators.labels()], [['n1', 'two']])
  assert.deepEqual([...operators.approvals()], ['n1', 'n4'])
  assert.deepEqual([...operators.drains()], [['n1', 'why n1']])
  const lines = operators.audit(Number.MAX_SAFE_INTEGER, 100)
  assert.deepEqual(
    lines.map(({ id }) => id),
    [18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
  )
  assert.deepEqual(lines[0], { id: 18, ...job().audit })
  assert.deepEqual(
    operators.audit(4, 2).map(({ id }) => id),
    [3, 2],
  )
})

test('a next boot waits until a boot takes it, and one that was set since is not used up with it', async (t) => {
  const file = join(scratch(t), 'db')
  const first = open(t, file)
  for (const node of ['n1', 'n2', 'n3', 'n4', 'n5']) await first.saveOperator(nextBoot(node, `{"${node}":1}`))
  await first.saveNextBoot({ node: 'n1', setMs: 1, boot: '' })
  await first.saveNextBoot({ node: 'n1', setMs: 1, boot: 'aa' })
  await first.saveNextBoot({ node: 'n2', setMs: 1, boot: null })
  await first.saveOperator(nextBoot('n3', null))
  await first.saveOperator(job({ kind: 'forgotten', node: 'n4' }))
  await first.saveNextBoot({ node: 'n5', setMs: 1, boot: '' })
  await first.saveOperator(nextBoot('n5', '{}', 2))
  await first.saveNextBoot({ node: 'n5', setMs: 1, boot: null })
  await first.close()
  assert.deepEqual(open(t, file).nextBoots.list(), [
    { node: 'n1', content: '{"n1":1}', setMs: 1, boot: 'aa' },
    { node: 'n5', content: '{}', setMs: 2, boot: null },
  ])
})

test('a change that cannot be made leaves no line', async (t) => {
  const store = open(t, ':memory:')
  await store.saveOperator(made(token('a')))
  await assert.rejects(store.saveOperator(made(token('a', { role: 'view' }))), { code: 'DATABASE_FAILED' })
  assert.equal(store.operators.audit(100, 100).length, 1)
  assert.deepEqual(store.operators.tokens(), [token('a')])
})

test('the audit trail is what the timeline has of operators, and a node that is forgotten takes nothing of it', async (t) => {
  const store = open(t, ':memory:')
  const node = {
    ...{ id: 'n1', firstSeenMs: 1, lastSeenMs: 1, address: '10.0.0.1', rack: 'r', state: 'seen' as const },
    ...{ version: null, boot: null, isKnown: true },
  }
  await store.saveTimeline({ forgotten: [], nodes: [node], events: [] })
  await store.saveOperator(label('n1', 'one'))
  await store.saveTimeline({ forgotten: ['n1'], nodes: [], events: [] })
  await store.saveOperator(job({ kind: 'none' }, 7))
  const { events } = store.eventPages.after(0, { sources: ['operator'] }, 100)
  const data = { who: 'w', address: 'local', target: 't', detail: '' }
  assert.deepEqual(events, [
    { id: 1, timeMs: 5, source: 'operator', type: 'a', data },
    { id: 2, timeMs: 7, source: 'operator', type: 'a', data },
  ])
  assert.deepEqual(
    store.operators.audit(100, 100).map(({ id, atMs, action }) => [id, atMs, action]),
    [
      [2, 7, 'a'],
      [1, 5, 'a'],
    ],
  )
})

test('the audit trail of the eighth schema goes on', async (t) => {
  const file = join(scratch(t), 'db')
  const old = new Sqlite(file)
  old.exec(readFileSync(join(checkout, 'test', 'server', 'store', 'schema-8.sql'), 'utf8'))
  old.close()
  const store = open(t, file)
  await store.saveOperator(job())
  const alice = { who: 'local (alice)', address: 'local' }
  assert.deepEqual(store.operators.audit(100, 100), [
    { id: 5, ...job().audit },
    { id: 4, atMs: 1100, action: 'node.labelled', target: 'rig1', detail: 'a "quoted" label', ...alice },
    { id: 3, atMs: 900, action: 'token.made', target: '0a0b0c0d', detail: 'view, laptop', ...alice },
  ])
  assert.deepEqual(
    store.timeline.after(0).map(({ source }) => source),
    ['server', 'agent', 'operator', 'operator', 'operator'],
  )
})

test('each table is bounded: revoked tokens, labels, approvals and lines go, the oldest first', () => {
  const db = new Sqlite(':memory:')
  migrate(db)
  const tables = operatorTables(db)
  const write = operatorWriter(db, {
    tokensMax: 10,
    labelsMax: 20,
    approvalsMax: 20,
    drainsMax: 20,
    nextBootsMax: 20,
    auditRowsMax: 30,
  })
  // Those with an odd number are revoked, the last one first.
  for (let n = 0; n < 10; n += 1) write(made(token(`t${n}`, { createdMs: n })))
  for (const n of [9, 7, 5, 3, 1]) write(job({ kind: 'token-revoked', id: `t${n}`, revokedMs: 100 - n }))
  write(made(token('new', { createdMs: 200 })))
  write(made(token('newer', { createdMs: 201 })))
  assert.deepEqual(
    tables.tokens().map(({ id }) => id),
    ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't8', 'new', 'newer'],
  )
  for (let n = 0; n < 25; n += 1) write(label(`n${n}`, 'x', n))
  write(label('n5', 'again', 99))
  write(label('another', 'x', 100))
  const labels = tables.labels()
  assert.equal(labels.size, 20)
  assert.deepEqual(
    [labels.get('n5'), labels.has('n4'), labels.has('n6'), labels.has('n7')],
    ['again', false, false, true],
  )
  for (let n = 0; n < 25; n += 1) write(approval(`n${n}`, n))
  for (let n = 0; n < 25; n += 1) write(drain(`n${n}`, 'x', n))
  assert.deepEqual([tables.drains().size, tables.drains().has('n5')], [20, true])
  for (let n = 0; n < 25; n += 1) write(nextBoot(`n${n}`, '{}', n))
  assert.deepEqual([nextBootTable(db).list().length, nextBootTable(db).list()[0]?.node], [20, 'n10'])
  assert.deepEqual([tables.approvals().size, tables.approvals().has('n5')], [20, true])
  const lines = tables.audit(1e9, 1e6)
  assert.equal(lines.length, 30)
  assert.equal((lines[0]?.id ?? 0) - (lines.at(-1)?.id ?? 0), 29)
  db.close()
})
