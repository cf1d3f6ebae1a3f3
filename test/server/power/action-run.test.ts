import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ActionPlan, ActionRun } from '../../../server/power/action-run.js'

const names = (count: number) => Array.from({ length: count }, (_, n) => `n${n}`)
const plan = (count: number, more: Partial<ActionPlan> = {}): ActionPlan => ({
  ...{ kind: 'wake', nodes: names(count), batch: undefined, pauseS: 0, failuresMax: undefined },
  ...more,
})
const statesOf = (run: ActionRun) => run.steps.map(({ state }) => state).join(' ')

test('without batches all have their turn, so many at a time', () => {
  const run = new ActionRun(plan(500))
  const running = new Set<string>()
  const order: string[] = []
  while (!run.isOver) {
    const { start, againInMs } = run.next(0)
    assert.equal(againInMs, undefined)
    for (const node of start) {
      running.add(node)
      order.push(node)
    }
    assert.ok(running.size <= 16)
    const [first = ''] = running
    running.delete(first)
    run.ended(first, undefined)
  }
  assert.deepEqual(order, names(500))
  assert.deepEqual(
    [run.stopped, new Set(run.steps.map(({ state }) => state))],
    [undefined, new Set(['done'])],
  )
})

test('a batch begins when the one before is over, and its pause', () => {
  const run = new ActionRun(plan(5, { batch: 2, pauseS: 30 }))
  assert.deepEqual(run.next(1000), { start: ['n0', 'n1'] })
  run.ended('n0', undefined)
  assert.deepEqual(run.next(2000), { start: [] })
  run.ended('n1', 'no')
  assert.deepEqual(run.next(3000), { start: [], againInMs: 30_000 })
  assert.deepEqual(run.next(32_999), { start: [], againInMs: 1 })
  assert.deepEqual(run.next(33_000), { start: ['n2', 'n3'] })
  run.found('n2', 'by hand')
  for (const node of ['n2', 'n3']) run.ended(node, undefined)
  run.next(34_000)
  assert.deepEqual(run.next(64_000), { start: ['n4'] })
  assert.equal(run.isOver, false)
  run.ended('n4', undefined)
  // After the last one there is no pause.
  assert.deepEqual([run.isOver, run.next(64_001)], [true, { start: [] }])
  assert.equal(statesOf(run), 'done failed done done done')
  assert.deepEqual(run.steps[1], { node: 'n1', state: 'failed', method: '', why: 'no' })
  assert.equal(run.steps[2]?.method, 'by hand')
})

test('after so many failures nobody else has a turn, and those that run go on', () => {
  const run = new ActionRun(plan(6, { batch: 3, failuresMax: 2 }))
  run.next(0)
  run.ended('n0', 'no')
  assert.equal(run.stopped, undefined)
  run.ended('n1', 'no')
  assert.deepEqual([run.stopped, run.isOver, run.next(0)], ['2 failed', false, { start: [] }])
  run.ended('n2', undefined)
  assert.deepEqual([run.isOver, statesOf(run)], [true, 'failed failed done left left left'])
})

test('too many failures among the last ones stop nothing', () => {
  const run = new ActionRun(plan(2, { failuresMax: 1 }))
  run.next(0)
  run.ended('n0', 'no')
  run.ended('n1', undefined)
  assert.deepEqual([run.stopped, run.isOver], [undefined, true])
})

test('one that is stopped leaves those that wait, and only once', () => {
  const run = new ActionRun(plan(3, { batch: 1, pauseS: 5 }))
  run.next(0)
  run.ended('n0', undefined)
  run.next(0)
  run.stop('alice')
  run.stop('bob')
  assert.deepEqual([run.stopped, run.isOver, statesOf(run)], ['alice', true, 'done left left'])
})
