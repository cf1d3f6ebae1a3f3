import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeNodeConfigs } from '../../src/node-config.js'
import { parseConfig } from '../support/config.js'

const configs = makeNodeConfigs(
  parseConfig({
    name: 'f',
    text: `
settings: {POOL: one, MODE: slow}
racks:
  - {name: east, subnets: [10.1.0.0/16, 'fd00:1::/32'], nodes: 'rig[1-2]'}
  - {name: west, subnets: [10.0.0.0/8], nodes: rig2}
nodes:
  - {match: 'rig[1-3]', settings: {MODE: fast, X: 0644}}
  - {match: rig3, hostname: Three, rack: attic, settings: {MODE: faster}}
`,
  }),
)

test('later entries win, setting by setting', () => {
  assert.deepEqual(configs.of('rig3', '10.9.9.9'), {
    hostname: 'Three',
    rack: 'attic',
    settings: { POOL: 'one', MODE: 'faster', X: '0644' },
    kernelArgs: '',
    power: undefined,
    artifacts: { rootfs: undefined, plugins: [] },
    isNamed: true,
  })
  assert.deepEqual(configs.of('rig1', '10.9.9.9'), {
    hostname: 'rig1',
    rack: 'east',
    settings: { POOL: 'one', MODE: 'fast', X: '0644' },
    kernelArgs: '',
    power: undefined,
    artifacts: { rootfs: undefined, plugins: [] },
    isNamed: true,
  })
  assert.deepEqual(configs.of('52:54:00:00:00:01', '192.168.7.9'), {
    hostname: 'node-525400000001',
    rack: '192.168.7.0/24',
    settings: { POOL: 'one', MODE: 'slow' },
    kernelArgs: '',
    power: undefined,
    artifacts: { rootfs: undefined, plugins: [] },
    isNamed: false,
  })
})

test('kernel arguments: those of all nodes, then the last of its own', () => {
  const configs = makeNodeConfigs({
    racks: [],
    profiles: {},
    groups: [],
    settings: {},
    netboot: { kernel_args: 'quiet', root: 'tmpfs' },
    nodes: [
      { match: 'rig[1-2]', settings: {}, kernel_args: 'nomodeset' },
      { match: 'rig2', settings: {}, kernel_args: 'console=ttyS0' },
    ],
  })
  const of = (node: string) => configs.of(node, '10.9.9.9').kernelArgs
  assert.deepEqual(['rig1', 'rig2', 'rig3'].map(of), ['quiet nomodeset', 'quiet console=ttyS0', 'quiet'])
})

test('the rack: by name, else by the first subnet, else the subnet itself', () => {
  const cases: [string | undefined, string, string][] = [
    ['rig2', '10.200.0.1', 'east'],
    ['rig3', '10.1.0.1', 'attic'],
    ['other', '10.1.2.3', 'east'],
    ['other', '10.2.2.3', 'west'],
    [undefined, '::ffff:10.1.2.3', 'east'],
    [undefined, 'fd00:1:2::3', 'east'],
    [undefined, '192.168.1.77', '192.168.1.0/24'],
    [undefined, 'fd00:2:0:5:1::1', 'fd00:2:0:5::/64'],
    [undefined, 'fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, 'nonsense', 'unknown'],
  ]
  for (const [id, address, rack] of cases) assert.equal(configs.rackOf(id, address), rack, `${id} ${address}`)
})

test('settings of all and of one node together are bounded', () => {
  const of = (letter: string) => Array.from({ length: 200 }, (_, i) => `${letter}${i}: x`).join(', ')
  const text = `settings: {${of('A')}}\nnodes: [{match: a, settings: {${of('B')}}}]`
  assert.throws(() => parseConfig({ name: 'f', text }), {
    code: 'CONFIG_INVALID',
    message: /a has 400 settings/,
  })
})

test('a rack by the port of a relay: after the node’s own name, before its subnet', () => {
  const seen: Record<string, string[]> = {
    a: ['sw3-port7', '0x0006'],
    b: ['sw4-port7'],
    c: ['sw3-port1'],
    d: ['0x0006'],
  }
  const { rackOf } = makeNodeConfigs(
    parseConfig({
      text: `racks:
  - {name: three, relay_ids: ["sw3-*", "0x0006"], subnets: [10.3.0.0/16]}
  - {name: west, nodes: c, subnets: [10.1.0.0/16]}`,
      name: 'f.yaml',
    }),
    (node) => seen[node] ?? [],
  )
  const racks = ['a', 'b', 'c', 'd', 'e', undefined].map((node) => rackOf(node, '10.1.2.3'))
  assert.deepEqual(racks, ['three', 'west', 'west', 'three', 'west', 'west'])
})

test('stage 1 is told where the root goes, unless it goes there anyway', () => {
  const configs = makeNodeConfigs({
    settings: {},
    racks: [],
    profiles: {},
    groups: [],
    netboot: { kernel_args: 'quiet', root: 'zram' },
    nodes: [
      { match: 'rig[1-2]', settings: {}, root: 'tmpfs' },
      { match: 'rig2', settings: {}, root: 'overlay', kernel_args: 'x' },
    ],
  })
  const of = (node: string) => configs.of(node, '10.9.9.9').kernelArgs
  assert.equal(of('rig1'), 'quiet')
  assert.equal(of('rig2'), 'bootswarm.root=overlay quiet x')
  assert.equal(of('rig3'), 'bootswarm.root=zram quiet')
})

test('nodes that a group lists are named too; those that nothing names share what their profiles give', () => {
  const configs = makeNodeConfigs(
    parseConfig({
      text: `
settings: {A: a}
profiles: {x: {settings: {A: x}}}
groups:
  - {name: g, match: {nodes: "n[1-2]"}, profile: x}
  - {name: h, match: {subnets: 10.0.0.0/8}, profile: x}`,
      name: 'f.yaml',
    }),
  )
  const of = (node: string, address: string) => configs.of(node, address)
  assert.deepEqual([of('n1', '').isNamed, of('n3', '').isNamed], [true, false])
  assert.equal(of('made-up-1', '10.0.0.1').settings, of('made-up-2', '10.0.0.2').settings)
  assert.deepEqual(of('made-up-1', '10.0.0.1').settings, { A: 'x' })
  assert.deepEqual(of('made-up-1', '192.168.0.1').settings, { A: 'a' })
  assert.equal(of('n1', '10.0.0.1'), of('n1', '10.0.0.1'))
})

test('what a machine is decides once it is known', () => {
  const { of, explain } = makeNodeConfigs(
    parseConfig({
      name: 'f',
      text: `
profiles: {gpu: {settings: {GPU: 'yes'}}}
groups:
  - {name: gpus, match: {pci: '10de:*'}, profile: gpu}
  - {name: all, match: {macs: '52'}, hostname: 'm-{serial}'}
`,
    }),
  )
  const [id, address] = ['52:54:00:00:00:01', '10.9.9.9']
  const machineOf = (serial: string, ...pci: string[]) => ({ dmi: { serial }, pci, macs: [] })
  const seen = [undefined, machineOf('S1', '10de:1'), machineOf('S2', '1002:1'), undefined].map((machine) => {
    const { hostname, settings } = of(id, address, 'x86_64', machine)
    return [hostname, settings.GPU]
  })
  const bare = ['node-525400000001', undefined]
  assert.deepEqual(seen, [bare, ['m-s1', 'yes'], ['m-s2', undefined], bare])
  const asked = { id, address, arch: 'x86_64' }
  assert.deepEqual(explain(asked).openGroups, ['gpus'])
  assert.deepEqual(explain({ ...asked, machine: machineOf('S2', '1002:1') }).openGroups, [])
})
