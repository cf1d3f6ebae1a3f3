import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDrops } from '../../bench/storm/backlog.js'
import { reason } from '../../bench/storm/report.js'
import { idleUntil } from '../../bench/storm/result.js'

test('idle time counts until the last healthy node, not while slow ones go on alone', () => {
  const samples = [0.1, 0.05, 0.15, 0.9, 0.9].map((idle, i) => ({ atS: i + 1, idle }))
  assert.equal(idleUntil(samples, 3.4), 0.1)
  assert.equal(idleUntil(samples, Number.POSITIVE_INFINITY), 0.42)
  assert.equal(idleUntil([], 3), 1)
})

test('what the host lost between namespaces is the second column of all processors', () => {
  const lines = ['04b93d35 005604a3 0000024f 00000000', '04a9fb68 0000000a 00000216 00000000', '']
  assert.equal(parseDrops(lines.join('\n')), 0x5604a3 + 10)
  assert.equal(parseDrops(''), 0)
})

test('the report says why a node was late, and does not blame the swarm for one that was alone', () => {
  const result = { floor_s: 100, p95_s: 140, payload_bytes: 1e6 } as Parameters<typeof reason>[1]
  const node = {
    booted_s: 143,
    downloaded_s: 142,
    manifest_s: 1,
    start_s: 0,
    failures: [],
    from_origin_bytes: 0,
    progress: [],
  } as unknown as Parameters<typeof reason>[0]
  const why = (change: object) => reason({ ...node, ...change }, result)
  assert.equal(why({}), 'the swarm was as slow for all')
  assert.equal(why({ booted_s: 160, downloaded_s: 160 }), '95 % were done 20.0 s before')
  assert.equal(why({ manifest_s: 20 }), 'waited for its manifest')
  assert.equal(why({ slow: true }), 'its link has a tenth of the rate')
  assert.match(
    why({
      progress: [
        [20, 5, 1],
        [60, 5, 1],
      ],
    }),
    /^nothing came for 40.0 s from 20.0 s on$/,
  )
})
