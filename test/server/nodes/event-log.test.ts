import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lostNodeLog, nodeEventLog } from '../../../server/nodes/event-log.js'
import { newNode } from '../../../server/nodes/state.js'
import { type BootEvent, parseEvents } from '../../../src/events.js'

test('what stage 1 noted is a warning in the log; a boot that begins without a note is told too', () => {
  const lines: string[] = []
  const to = (level: string) => (_facts: object, message: string) => void lines.push(`${level} ${message}`)
  const listener = nodeEventLog({ debug: to('debug'), info: to('info'), warn: to('warn') }, () => 0)
  const started = (data: object) =>
    parseEvents(
      JSON.stringify([
        {
          boot: '0123456789abcdef',
          seq: 0,
          t_ms: 1,
          type: 'boot.started',
          data: { agent: '0.1.0', mem_total_bytes: 1, ...data },
        },
      ]),
    )
  const node = newNode('rig-1', 'r', 'rig-1', '10.0.0.1', 0)
  for (const event of [
    ...started({}),
    ...started({ note: 'DHCP: could not set MTU of 70000' }),
    ...started({ note: 5 }),
  ]) {
    listener(node, event)
  }
  assert.deepEqual(lines, [
    'info rig-1 at 10.0.0.1: its agent has begun',
    'warn rig-1: DHCP: could not set MTU of 70000',
    'info rig-1 at 10.0.0.1: its agent has begun',
  ])
})

test('a lost node is named, with where it stood', () => {
  const lines: string[] = []
  const lost = lostNodeLog({ warn: (_facts: object, message: string) => void lines.push(message) }, () => 0)
  const node = newNode('rig-1', 'r', 'rig-1', '10.0.0.1', 0)
  lost(node)
  lost({ ...node, state: 'manifest', version: 3 })
  lost({ ...node, state: 'downloading', version: 3, doneBytes: 12_340_000, totalBytes: 130_000_000 })
  lost({ ...node, state: 'downloading', version: 3, doneBytes: 130_000_000, totalBytes: 130_000_000 })
  assert.deepEqual(
    lines,
    [
      'before it asked for a manifest',
      'with the manifest of version 3',
      'with 12.3 of 130.0 MB of version 3',
      'with all 130.0 MB of version 3, unpacking it',
    ].map((where) => `rig-1 is lost: silent for 120 s in mid-boot, ${where}`),
  )
})

const failed = (seq: number, data: object = {}) =>
  parseEvents(
    JSON.stringify([
      {
        boot: '0123456789abcdef',
        seq,
        t_ms: 1,
        type: 'boot.failed',
        data: { code: 'IO', message: 'x', retry_in_s: 1, ...data },
      },
    ]),
  )[0] as BootEvent

test('members that a node adds to its data cannot pass for facts of the server', () => {
  const logged: object[] = []
  const listener = nodeEventLog(
    { debug: () => {}, info: () => {}, warn: (facts: object) => void logged.push(facts) },
    () => 0,
  )
  const data = { event: 'node.boot.completed', node: 'rig-2', level: 'info', msg: 'fine' }
  listener(newNode('rig-1', 'r', 'rig-1', '10.0.0.1', 0), failed(0, data))
  assert.deepEqual(logged, [
    {
      event: 'node.boot.failed',
      node: 'rig-1',
      rack: 'r',
      boot: '0123456789abcdef',
      data: { code: 'IO', message: 'x', retry_in_s: 1, ...data },
    },
  ])
})

test('whoever reports without end does not fill the log, and the others are still heard', () => {
  let nowMs = 0
  const lines: string[] = []
  const listener = nodeEventLog(
    { debug: () => {}, info: () => {}, warn: (_facts: object, line: string) => void lines.push(line) },
    () => nowMs,
  )
  const node = (id: string, address = '10.0.0.1') => newNode(id, 'r', id, address, 0)
  for (let seq = 0; seq < 1000; seq += 1) listener(node('rig-1'), failed(seq))
  assert.equal(lines.length, 20)
  listener(node('rig-2'), failed(0))
  assert.equal(lines.at(-1), 'rig-2 did not boot: IO: x')
  for (let index = 0; index < 10_000; index += 1) listener(node(`invented-${index}`, '10.0.0.9'), failed(0))
  assert.equal(lines.length, 21 + 2048)
  listener(node('rig-3', '10.0.0.3'), failed(0))
  assert.equal(lines.at(-1), 'rig-3 did not boot: IO: x', 'other addresses are heard')
  for (let index = 0; index < 100_000; index += 1) {
    listener(node(`invented-${index}`, `10.1.${index & 255}.1`), failed(0))
  }
  const written = lines.length
  assert.ok(written > 8000 && written <= 8192, `${written}`)
  nowMs = 60_000
  listener(node('rig-1'), failed(1000))
  assert.deepEqual(lines.slice(written), [
    `${1000 + 1 + 10_000 + 1 + 100_000 - written} more lines about nodes were suppressed`,
    'rig-1 did not boot: IO: x',
  ])
})
