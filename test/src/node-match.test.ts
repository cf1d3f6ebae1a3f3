import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparable, makeNodeMatch, type NodeFacts } from '../../src/node-match.js'
import { parseConfig } from '../support/config.js'

const facts: NodeFacts = {
  id: '52:54:00:ab:cd:ef',
  address: '10.1.2.3',
  rack: 'east',
  relayIds: ['sw3-port7', '0x0006'],
  arch: 'x86_64',
  machine: { dmi: { product: 'PowerEdge R740' }, pci: ['8086:1533', '10de:2684'], macs: [] },
}

/** What `match:` with this text makes of a node. */
function match(text: string) {
  const { groups } = parseConfig({ name: 'f', text: `groups: [{name: g, match: ${text}}]` })
  const [group] = groups
  assert.ok(group)
  return makeNodeMatch(group.match)
}
const holds = (text: string, more: Partial<NodeFacts> = {}, names: readonly string[] = []) =>
  match(text).holds(comparable({ ...facts, ...more }), [more.id ?? facts.id, ...names])

test('each condition holds for what it names and for nothing else', () => {
  const cases: [string, Partial<NodeFacts>, boolean][] = [
    ['{nodes: "a,52-54-00-AB-CD-EF"}', {}, true],
    ['{nodes: "rig[01-10]"}', { id: 'rig07' }, true],
    ['{nodes: "rig[01-10]"}', { id: 'rig7' }, false],
    ['{macs: 52:54:00}', {}, true],
    ['{macs: [00:11, 5254.00ab.cdef]}', {}, true],
    ['{macs: "52:54:*"}', {}, true],
    ['{macs: 54:00}', {}, false],
    ['{macs: 52:54:00}', { id: 'rig1' }, false],
    ['{subnets: 10.1.0.0/16}', {}, true],
    ['{subnets: [10.2.0.0/16, "fd00::/8"]}', { address: 'fd12::1' }, true],
    ['{subnets: 10.1.0.0/16}', { address: '::ffff:10.1.9.9' }, true],
    ['{subnets: 10.1.0.0/16}', { address: '' }, false],
    ['{subnets: 0.0.0.0/0}', { address: '' }, false],
    ['{subnets: 0.0.0.0/0}', { address: 'fd00::1' }, false],
    ['{subnets: "::/0"}', { address: 'fd00::1' }, true],
    ['{subnets: 10.1.2.3/32}', {}, true],
    ['{subnets: 10.1.2.0/31}', {}, false],
    ['{subnets: "::ffff:10.1.0.0/112"}', {}, false],
    ['{racks: [west, east]}', {}, true],
    ['{racks: west}', {}, false],
    ['{relay_ids: ["sw3-*"]}', {}, true],
    ['{relay_ids: ["0x0006"]}', {}, true],
    ['{relay_ids: ["sw4-*"]}', {}, false],
    ['{archs: [arm64, x86_64]}', {}, true],
    ['{archs: arm64}', {}, false],
    ['{archs: x86_64}', { arch: undefined }, false],
    ['{dmi: {product: "PowerEdge*"}}', {}, true],
    ['{dmi: {product: [X11, "poweredge r740"]}}', {}, true],
    ['{dmi: {vendor: "Dell*", product: X11}}', {}, false],
    ['{dmi: {vendor: "*"}}', {}, false],
    ['{dmi: {product: "*"}}', { machine: undefined }, false],
    ['{pci: "10de:*"}', {}, true],
    ['{pci: ["1002:*", "8086:1533"]}', {}, true],
    ['{pci: "*:2684"}', {}, true],
    ['{pci: "1002:*"}', {}, false],
    ['{pci: "10de:*"}', { machine: undefined }, false],
  ]
  for (const [text, more, expected] of cases) assert.equal(holds(text, more), expected, text)
})

test('all keys must hold, of the values of a key one; any and all put conditions together', () => {
  assert.equal(holds('{racks: east, archs: x86_64}'), true)
  assert.equal(holds('{racks: east, archs: arm64}'), false)
  assert.equal(holds('{any: [{racks: west}, {archs: x86_64}]}'), true)
  assert.equal(holds('{any: [{racks: west}, {archs: arm64}]}'), false)
  assert.equal(holds('{all: [{subnets: 10.0.0.0/8}, {subnets: 10.1.0.0/16}]}'), true)
  assert.equal(holds('{all: [{subnets: 10.0.0.0/8}, {subnets: 10.2.0.0/16}]}'), false)
  assert.equal(holds('{racks: west, any: [{archs: x86_64}]}'), false)
  assert.equal(holds('{any: [{racks: west, archs: x86_64}, {racks: east, archs: x86_64}]}'), true)
})

test('a host name that a single node is given counts as its identity', () => {
  assert.equal(holds('{nodes: "rig[1-3]"}', {}, ['rig2']), true)
  assert.equal(holds('{macs: 52:54:00}', {}, ['rig2']), true)
})

test('the place of a node among those that are named, from 1, each once', () => {
  const { listed, indexOf } = match(
    '{nodes: "b,a[1-2],b", any: [{macs: [00:11, 52:54:00:00:00:01]}, {nodes: c}]}',
  )
  assert.deepEqual(listed, ['b', 'a1', 'a2', '52:54:00:00:00:01', 'c'])
  assert.equal(indexOf(['a1']), 2)
  assert.equal(indexOf(['52:54:00:00:00:02', 'c']), 5)
  assert.equal(indexOf(['d']), undefined)
})

test('what only the running server knows of a node is told from what a file says', () => {
  const seen = [
    '{nodes: a}',
    '{macs: "52"}',
    '{subnets: 10.0.0.0/8}',
    '{racks: a}',
    '{any: [{archs: arm64}]}',
  ]
  assert.deepEqual(
    seen.map((text) => match(text).isByPlace),
    [false, false, true, true, true],
  )
  assert.deepEqual(
    ['{archs: arm64}', '{any: [{pci: "1:2"}]}', '{dmi: {board: x}}'].map((text) => [
      match(text).isByMachine,
      match(text).isOpen,
    ]),
    [
      [false, true],
      [true, true],
      [true, true],
    ],
  )
})

test('what no machine can be is refused', () => {
  for (const wrong of ['{dmi: {}}', '{dmi: {colour: red}}', '{dmi: X11}', '{pci: 10de}', '{pci: "10deb:1"}'])
    assert.throws(() => match(wrong), { code: /^CONFIG_/ }, wrong)
})
