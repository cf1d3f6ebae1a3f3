import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lostNodeLog, nodeEventLog } from '../../../server/nodes/event-log.js'
import { newNode } from '../../../server/nodes/state.js'
import { parseEvents } from '../../../src/events.js'

test('what stage 1 noted is a warning in the log; a boot that begins without a note is none', () => {
  const lines: string[] = []
  const to = (level: string) => (_facts: object, message: string) => void lines.push(`${level} ${message}`)
  const listener = nodeEventLog({ debug: to('debug'), info: to('info'), warn: to('warn') })
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
    'debug rig-1: boot.started',
    'warn rig-1: DHCP: could not set MTU of 70000',
    'debug rig-1: boot.started',
  ])
})

test('a lost node is named, with where it stood', () => {
  const lines: string[] = []
  const lost = lostNodeLog({ warn: (_facts: object, message: string) => void lines.push(message) })
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
