import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { bootEventTypes, parseEvents } from '../../src/events.js'
import { EVENT_UNKNOWN_DATA_BYTES_MAX, EVENT_UNKNOWN_DEPTH_MAX } from '../../src/limits.js'
import { fuzzed, outcome } from '../fuzz.js'

const frame = { boot: '0123456789abcdef', seq: 0, t_ms: 5 }
const started = { ...frame, type: 'boot.started', data: { agent: '0.1.0', mem_total_bytes: 8_000_000_000 } }
const parse = (value: unknown) => parseEvents(JSON.stringify(value))

test('the types are those of docs/protocol.md', () => {
  const section =
    readFileSync('docs/protocol.md', 'utf8').split('## Events of a boot')[1]?.split('\n## ')[0] ?? ''
  const rows = [...section.matchAll(/^\| `([a-z.]+)` \| (.*) \|$/gm)]
  assert.deepEqual(rows.map((row) => row[1]).sort(), [...bootEventTypes].sort())
  // Each member that the table names is required: without it the event is refused.
  for (const [, type, members = ''] of rows) {
    const names = [...members.matchAll(/`([a-z_]+)`/g)].map((match) => match[1] ?? '')
    const values = (name: string) => (/^(name|addr|code|message|agent|reason)$/.test(name) ? 'x' : 1)
    const data = Object.fromEntries(names.map((name) => [name, values(name)]))
    assert.equal(
      outcome(() => parse([{ ...frame, type, data }])),
      'ok',
      type,
    )
    for (const name of names) {
      const { [name]: _, ...rest } = data
      assert.equal(
        outcome(() => parse([{ ...frame, type, data: rest }])),
        'EVENTS_INVALID',
        `${type} ${name}`,
      )
    }
  }
})

test('further scalars of data are kept', () => {
  const event = { ...started, data: { ...started.data, board: 'x', turbo: true } }
  assert.deepEqual(parse([event]), [event])
  assert.deepEqual(parse([]), [])
})

test('an event of an unknown type is kept as it came, and does not spoil its batch', () => {
  const data = { fans: [{ rpm: 0 }, null], 'x y': 'z', deep: { a: { b: 1 } } }
  const unknown = { ...frame, seq: 1, type: 'fan.stopped', data, level: 'new' }
  assert.deepEqual(parse([started, unknown, { ...frame, seq: 2, type: '2.x' }]), [
    started,
    { ...frame, seq: 1, type: 'unknown', name: 'fan.stopped', data },
    { ...frame, seq: 2, type: 'unknown', name: '2.x', data: {} },
  ])
})

test('what an unknown type says is bounded', () => {
  const kept = (data: unknown) => parse([{ ...frame, type: 'fan.stopped', data }])[0]?.data
  const large = { text: 'x'.repeat(EVENT_UNKNOWN_DATA_BYTES_MAX) }
  assert.deepEqual(kept(large), { left_out: `${JSON.stringify(large).length} bytes` })
  const nested = (depth: number): object => (depth === 0 ? {} : { in: nested(depth - 1) })
  assert.deepEqual(kept(nested(EVENT_UNKNOWN_DEPTH_MAX - 1)), nested(EVENT_UNKNOWN_DEPTH_MAX - 1))
  assert.deepEqual(kept(nested(EVENT_UNKNOWN_DEPTH_MAX)), { left_out: 'nested too deeply' })
  const deepest = `${'['.repeat(30_000)}${']'.repeat(30_000)}`
  const body = `[{"boot":"0123456789abcdef","seq":0,"t_ms":0,"type":"x","data":{"a":${deepest}}}]`
  assert.deepEqual(parseEvents(body)[0]?.data, { left_out: 'nested too deeply' })
})

test('what is refused', () => {
  const wrong: unknown[] = [
    {},
    'x',
    [null],
    [{ ...started, type: 'boot unknown' }],
    [{ ...started, type: 'boot.unknown', boot: 'x' }],
    [{ ...started, type: 'boot.unknown', data: [] }],
    [{ ...started, type: '' }],
    [{ ...frame, data: {} }],
    [{ ...started, boot: 'x' }],
    [{ ...started, boot: '0123456789ABCDEF' }],
    [{ ...started, seq: -1 }],
    [{ ...started, seq: 1.5 }],
    [{ ...started, extra: 1 }],
    [{ ...started, data: { ...started.data, list: [] } }],
    [{ ...started, data: { ...started.data, nothing: null } }],
    [{ ...started, data: { ...started.data, long: 'x'.repeat(1025) } }],
    [
      {
        ...started,
        data: { ...started.data, ...Object.fromEntries(Array.from({ length: 15 }, (_, i) => [i, i])) },
      },
    ],
    new Array(65).fill(started),
  ]
  for (const value of wrong)
    assert.equal(
      outcome(() => parse(value)),
      'EVENTS_INVALID',
      JSON.stringify(value).slice(0, 90),
    )
  assert.equal(
    outcome(() => parseEvents('[')),
    'EVENTS_INVALID',
  )
  assert.equal(
    outcome(() => parseEvents(Buffer.from([0x5b, 0xff, 0x5d]))),
    'EVENTS_INVALID',
  )
  assert.equal(
    outcome(() => parseEvents(`[${' '.repeat(65_536)}]`)),
    'EVENTS_INVALID',
  )
  assert.equal(
    outcome(() => parse(new Array(64).fill(started))),
    'ok',
  )
})

test('mutations end in events or in the code', () => {
  for (const bytes of fuzzed(Buffer.from(JSON.stringify([started, started])), 5, 3000)) {
    assert.match(
      outcome(() => parseEvents(bytes)),
      /^(ok|EVENTS_INVALID)$/,
    )
  }
})
