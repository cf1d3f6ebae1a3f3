import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeEventLog } from '../../../server/nodes/event-log.js'
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
