import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ActionPlan } from '../../../server/power/action-run.js'
import { PowerActions } from '../../../server/power/actions.js'
import { ACTION_NODES_MAX, ACTIONS_KEPT_MAX, ACTIONS_MAX } from '../../../src/limits.js'

const plan = (nodes: readonly string[], more: Partial<ActionPlan> = {}): ActionPlan => ({
  ...{ kind: 'wake', nodes, batch: undefined, pauseS: 0, failuresMax: undefined },
  ...more,
})

/** Actions whose methods end when the test says so, on a clock of its own. */
function place() {
  const running = new Map<string, { end(error?: Error): void; readonly ended: AbortSignal }>()
  const told: string[] = []
  let nowMs = 1000
  let timer: { readonly atMs: number; run(): void } | undefined
  let ids = 0
  const actions = new PowerActions({
    methodOf: (_kind, node) => {
      if (node.startsWith('bad')) throw new Error('no way to it')
      return {
        name: 'by hand',
        run: (ended) =>
          new Promise((resolve, reject) => {
            running.set(node, { ended, end: (error) => (error === undefined ? resolve() : reject(error)) })
          }),
      }
    },
    onStep: (_action, { node, state }) => told.push(`${node} ${state}`),
    onEnd: ({ id, stopped = 'through' }) => told.push(`${id} ${stopped}`),
    newId: () => String(ids++).padStart(8, '0'),
    nowMs: () => nowMs,
    after: (ms, run) => {
      timer = { atMs: nowMs + ms, run }
      return () => {
        timer = undefined
      }
    },
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const start = (wanted: ActionPlan) => {
    const { id } = actions.prepare(wanted, 'alice')
    actions.begin(id)
    return id
  }
  const end = async (node: string, error?: Error) => {
    const one = running.get(node)
    assert.ok(one !== undefined, `${node} does not run`)
    running.delete(node)
    one.end(error)
    await turn()
  }
  const pass = async (ms: number) => {
    nowMs += ms
    const { atMs, run } = timer ?? assert.fail('nothing waits for the time')
    assert.ok(atMs <= nowMs)
    timer = undefined
    run()
    await turn()
  }
  return { actions, running, told, start, end, pass }
}

test('an action goes through its batches, tells of each node, and is there afterwards', async () => {
  const { actions, running, told, start, end, pass } = place()
  const id = start(plan(['a', 'bad', 'c'], { batch: 2, pauseS: 9 }))
  assert.deepEqual([...running.keys()], ['a'])
  await end('a')
  assert.equal(actions.get(id).endedMs, null)
  await pass(9000)
  await end('c', new Error('it does not answer'))
  assert.deepEqual(told, ['bad failed', 'a done', 'c failed', `${id} through`])
  const { endedMs, steps } = actions.get(id)
  assert.equal(endedMs, 10_000)
  assert.deepEqual(
    steps.map(({ method, why }) => [method, why]),
    [
      ['by hand', ''],
      ['', 'no way to it'],
      ['by hand', 'it does not answer'],
    ],
  )
})

test('a plan names the ways and where there is none, and does nothing', () => {
  const { actions, running } = place()
  const { id, steps } = actions.planned(plan(['a', 'bad']), 'alice')
  assert.deepEqual(
    [id, ...steps.map(({ state, method, why }) => [state, method, why])],
    ['', ['waiting', 'by hand', ''], ['failed', '', 'no way to it']],
  )
  assert.deepEqual([running.size, actions.list().length], [0, 0])
})

test('a node is in one action at a time, and free when its turn is over or never comes', async () => {
  const { actions, start, end } = place()
  const first = start(plan(['a', 'b'], { batch: 1 }))
  const conflict = { code: 'ACTION_CONFLICT', message: new RegExp(`b is in action ${first}`) }
  assert.throws(() => actions.prepare(plan(['b']), 'bob'), conflict)
  assert.throws(() => actions.prepare(plan(['a']), 'bob'), { code: 'ACTION_CONFLICT' })
  // One that is not written is not begun, and holds nothing.
  actions.cancel(actions.prepare(plan(['c']), 'bob').id)
  const second = start(plan(['c']))
  assert.equal(actions.stop(first, 'enough').endedMs, null)
  start(plan(['b']))
  await end('a')
  assert.deepEqual(
    actions.list().map(({ id, stopped, endedMs }) => [id, stopped, endedMs !== null]),
    [
      [first, 'enough', true],
      [second, undefined, false],
      ['00000003', undefined, false],
    ],
  )
})

test('actions are bounded: their nodes, those that run, those that are remembered', async () => {
  const { actions, start, end } = place()
  const many = Array.from({ length: ACTION_NODES_MAX + 1 }, (_, n) => `n${n}`)
  assert.throws(() => actions.prepare(plan(many), 'x'), { code: 'REQUEST_INVALID' })
  assert.throws(() => actions.planned(plan(many), 'x'), { code: 'REQUEST_INVALID' })
  for (let n = 0; n < ACTIONS_MAX; n += 1) start(plan([`n${n}`]))
  assert.throws(() => actions.prepare(plan(['other']), 'x'), { code: 'ACTIONS_TOO_MANY' })
  for (let n = 0; n < ACTIONS_KEPT_MAX; n += 1) {
    await end('n7')
    start(plan(['n7']))
  }
  assert.equal(actions.list().length, ACTIONS_KEPT_MAX)
  assert.equal(actions.list()[0]?.id, '00000000', 'one that runs is not forgotten')
  assert.throws(() => actions.get('00000007'), { code: 'ACTION_UNKNOWN' })
})

test('with the server its actions end where they are, and nothing more is told', async () => {
  const { actions, running, told, start, end } = place()
  start(plan(['a', 'b'], { batch: 1 }))
  const { ended } = running.get('a') ?? assert.fail('it does not run')
  actions.close()
  assert.ok(ended.aborted)
  await end('a')
  assert.deepEqual([told, running.size], [[], 0])
})
