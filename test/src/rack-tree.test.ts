import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configSchema } from '../../src/config.js'
import { diffConfigs } from '../../src/config-diff.js'
import { makeNodeConfigs } from '../../src/node-config.js'
import { makeRackTree, racksAbove } from '../../src/rack-tree.js'
import { parseConfig } from '../support/config.js'

const parse = (text: string) => parseConfig({ text, name: 'f.yaml' })

test('a mistake in what racks hang behind is refused with its place', () => {
  const cases: [string, string][] = [
    [
      'racks:\n  - name: a\n  - name: b\n    behind: c',
      'f.yaml:4:13: racks.1.behind: there is no rack c, only a, b',
    ],
    [
      'racks: [{name: a, behind: a}]',
      'f.yaml:1:27: racks.0.behind: a rack cannot hang behind itself: a -> a',
    ],
    [
      'racks:\n  - {name: a, behind: c}\n  - {name: b, behind: a}\n  - {name: c, behind: b}\n  - {name: d, behind: a}',
      'f.yaml:4:23: racks.2.behind: a rack cannot hang behind itself: c -> b -> a -> c',
    ],
    [
      'racks:\n  - {name: a}\n  - {name: b}\n  - {name: c, behind: a}\n  - {name: c, behind: b}',
      'f.yaml:5:23: racks.3.behind: rack c hangs behind a already',
    ],
    ['racks: [{name: a, behind: 7}]', 'f.yaml:1:27: racks.0.behind: expected text, got 7: put it in quotes'],
  ]
  for (const [text, message] of cases) {
    assert.throws(() => parse(text), { code: 'CONFIG_INVALID', message }, text)
  }
})

test('the longest line of racks is read, and a circle of all of them is told in short', () => {
  const line = (last: object) => {
    const racks = Array.from({ length: 4096 }, (_, n) => ({ name: `r${n}`, behind: `r${n + 1}` }))
    return JSON.stringify({ racks: [...racks.slice(0, -1), { name: 'r4095', ...last }] })
  }
  const config = parse(line({}))
  assert.equal(racksAbove(makeRackTree(config.racks), 'r0').length, 4095)
  assert.throws(
    () => parse(line({ behind: 'r0' })),
    (error: Error) =>
      /r4095 -> r0 -> .* -> \.\.\. -> r4095$/.test(error.message) && error.message.length < 300,
  )
})

test('racks hang in a tree; those of which nothing is said hang at the server', () => {
  const config = parse(`racks:
  - {name: a, subnets: [10.1.0.0/24]}
  - {name: b, subnets: [10.2.0.0/24], behind: a}
  - {name: b, nodes: "b[1-9]"}
  - {name: c, nodes: "c[1-9]", behind: b}
  - {name: 10.9.0.0/24, behind: c}`)
  const { rackTree, rackOf } = makeNodeConfigs(config)
  const above = (id: string | undefined, address: string) => racksAbove(rackTree, rackOf(id, address))
  assert.deepEqual(above(undefined, '10.1.0.7'), [])
  assert.deepEqual(above(undefined, '10.2.0.7'), ['a'])
  assert.deepEqual(above('b3', '10.8.0.7'), ['a'])
  assert.deepEqual(above('c3', '10.1.0.7'), ['b', 'a'])
  // A rack by default is known by its subnet.
  assert.deepEqual(above(undefined, '10.9.0.7'), ['c', 'b', 'a'])
  assert.deepEqual(above(undefined, '10.8.0.7'), [])
})

test('what racks hang behind is a difference that a running server takes over', () => {
  const racks = (behind?: string) => configSchema.parse({ racks: [{ name: 'a' }, { name: 'b', behind }] })
  const change = { name: 'racks.b.behind', before: undefined, after: 'a' }
  const expected = { nodes: [], regrouped: [], live: [change], restart: [] }
  assert.deepEqual(diffConfigs(racks(), racks('a')), expected)
  const { live } = diffConfigs(racks('a'), configSchema.parse({ racks: [{ name: 'b' }] }))
  assert.deepEqual(
    live.map(({ name, after }) => [name, after]),
    [
      ['racks', '[{"name":"b","subnets":[]}]'],
      ['racks.b.behind', undefined],
    ],
  )
})
