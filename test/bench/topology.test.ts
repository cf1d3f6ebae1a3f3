import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePlan, rackConfig, siteLinks, siteShapes } from '../../bench/storm/plan.js'
import { shapeOf } from '../../bench/storm/shaping.js'
import { parseStormOptions } from '../../bench/storm/storm-options.js'
import { evenRacks, parseTopology } from '../../bench/storm/topology.js'

const sizes = (text: string) => parseTopology(text).map(({ nodes }) => nodes)
const behind = (text: string) => parseTopology(text).map(({ behind: rack }) => rack)

test('a topology is read from sizes, a line or a tree', () => {
  assert.deepEqual(sizes('6,2x24,250'), [6, 24, 24, 250])
  assert.deepEqual(behind('6,2x24,250'), [undefined, undefined, undefined, undefined])
  assert.deepEqual(behind('line:4x24'), [undefined, 0, 1, 2])
  assert.deepEqual(behind('tree:2:6x3,48'), [undefined, 0, 0, 1, 1, 2, 2])
  assert.deepEqual(sizes('500'), [500])
  for (const text of [
    '',
    '0',
    '24,',
    'x24',
    '3x',
    'line:',
    'tree:24',
    'tree:0:24',
    '255x1',
    'ring:3x3',
    '2x251',
    '5000',
  ]) {
    assert.throws(() => parseTopology(text), { code: 'USAGE_INVALID' }, text)
  }
})

test('the options of a storm follow from it, or from nodes and racks', () => {
  const of = (...args: string[]) => parseStormOptions(args)
  const line = of('--topology', 'line:3x8')
  assert.deepEqual([line.nodes, line.rackSize, line.topology], [24, 8, 'line:3x8'])
  const flat = of('--topology', '20')
  assert.deepEqual([flat.nodes, flat.rackSize, flat.racks.length], [20, 0, 1])
  assert.deepEqual(of('--nodes', '50', '--rack-size', '24').racks, evenRacks(50, 24))
  assert.deepEqual(
    evenRacks(50, 24).map(({ nodes }) => nodes),
    [24, 24, 2],
  )
  for (const args of [
    ['--nodes', '5'],
    ['--rack-size', '5'],
  ]) {
    assert.throws(() => of('--topology', '20', ...args), { code: 'USAGE_INVALID' })
  }
})

test('switches are wired as the topology says, each uplink is shaped both ways, and the server is told', () => {
  const racks = parseTopology('tree:1:2,3,1')
  const plan = makePlan({ runId: '1', racks, isFlat: false, liars: 1, isSlow: () => false })
  assert.deepEqual(
    plan.nodes.map(({ id, address }) => [id, address]),
    [
      ['n1', '10.77.1.1'],
      ['n2', '10.77.1.2'],
      ['n3', '10.77.2.1'],
      ['n4', '10.77.2.2'],
      ['n5', '10.77.2.3'],
      ['n6', '10.77.3.1'],
    ],
  )
  const links = siteLinks(plan)
  const bridgeOf = (port: string) =>
    links.find((line) => line.startsWith(`link set dev ${port} gso`))?.match(/master (\S+)/)?.[1]
  assert.deepEqual(['u0', 'd0', 'u1', 'd1', 'u2', 'd2'].map(bridgeOf), ['core', 'r0', 'r0', 'r1', 'r1', 'r2'])
  const shapes = siteShapes(plan, shapeOf(8), shapeOf(1))
  for (const port of ['u0', 'd0', 'u1', 'd1', 'u2', 'd2']) {
    assert.equal(shapes.filter((line) => line.startsWith(`qdisc add dev ${port} root tbf`)).length, 1)
  }
  assert.deepEqual(rackConfig(plan), {
    racks: [
      { name: 'rack01', subnets: ['10.77.1.0/24'] },
      { name: 'rack02', subnets: ['10.77.2.0/24'], behind: 'rack01' },
      { name: 'rack03', subnets: ['10.77.3.0/24'], behind: 'rack02' },
    ],
  })
})
