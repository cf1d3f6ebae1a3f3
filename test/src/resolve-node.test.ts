import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePlacedConfig } from '../../src/config-parse.js'
import { commandLine } from '../../src/node-config.js'
import type { ResolvedNode } from '../../src/node-values.js'
import { makeNodeResolver } from '../../src/resolve-node.js'
import { parseConfig } from '../support/config.js'

const text = `settings: {POOL: a, MODE: slow}
netboot: {kernel_args: quiet}
racks:
  - {name: east, subnets: [10.1.0.0/16]}
profiles:
  base:
    settings: {MODE: base, LOG: debug}
    kernel_args: base
    plugins: 00-base
  gpu:
    extends: base
    rootfs: gpu-*
    plugins: [10-gpu, "!20-*"]
    root: zram
    kernel_args: gpu
    settings: {MODE: gpu}
  east:
    extends: base
    settings: {POOL: east}
    kernel_args: east
  lab: {settings: {MODE: lab}, rootfs: lab.tar}
groups:
  - name: gpus
    match: {nodes: "rig[1-3]"}
    profile: gpu
    hostname: gpu{index:2}
  - name: east
    match: {racks: east}
    profile: east
nodes:
  - {match: rig2, profile: lab, settings: {LOG: none}, kernel_args: first}
  - {match: "rig[2-3]", kernel_args: own, root: tmpfs}
  - {match: 52:54:00:00:00:01, hostname: rig1}
`
const { config, placeOf } = parsePlacedConfig({ name: 'f', text })
const resolver = makeNodeResolver(config)
const resolve = (id: string, address = '') => resolver.resolve({ id, address, arch: undefined })
const settingsOf = ({ settings }: ResolvedNode) =>
  Object.fromEntries([...settings].map(([name, { value }]) => [name, value]))
const values = (given: readonly { readonly value: string }[]) => given.map(({ value }) => value)

test('a node without groups gets what every node gets', () => {
  const node = resolve('other')
  assert.deepEqual([node.groups, node.profiles], [[], []])
  assert.deepEqual(settingsOf(node), { POOL: 'a', MODE: 'slow' })
  assert.equal(commandLine(node), 'quiet')
  assert.deepEqual([node.rootfs, node.plugins], [undefined, []])
})

test('profiles of groups in their order, then the node’s, then its own values', () => {
  const plain = resolve('rig1')
  assert.deepEqual(plain.profiles, ['base', 'gpu'])
  assert.deepEqual(settingsOf(plain), { POOL: 'a', MODE: 'gpu', LOG: 'debug' })
  assert.equal(commandLine(plain), 'bootswarm.root=zram quiet base gpu')
  assert.deepEqual(values(plain.plugins), ['00-base', '10-gpu', '!20-*'])
  assert.equal(plain.rootfs?.value, 'gpu-*')

  const both = resolve('rig1', '10.1.2.3')
  // What is inherited comes with the profile that inherits it: MODE is base's again.
  assert.deepEqual(both.profiles, ['gpu', 'base', 'east'])
  assert.deepEqual(settingsOf(both), { POOL: 'east', MODE: 'base', LOG: 'debug' })
  assert.equal(commandLine(both), 'bootswarm.root=zram quiet gpu base east')

  const own = resolve('rig2')
  assert.deepEqual(own.profiles, ['base', 'gpu', 'lab'])
  assert.deepEqual(settingsOf(own), { POOL: 'a', MODE: 'lab', LOG: 'none' })
  assert.equal(commandLine(own), 'quiet base gpu own')
  assert.equal(own.rootfs?.value, 'lab.tar')
})

test('what a node boots once is stronger than all, in its order', () => {
  const once = { from: 'network', profile: ['east', 'gone', 'lab'], rootfs: 'new.tar' } as const
  const node = resolver.resolve(
    { id: 'rig2', address: '', arch: undefined },
    { ...once, profile: [...once.profile] },
  )
  assert.deepEqual(node.profiles, ['base', 'gpu', 'lab', 'east'])
  assert.deepEqual(settingsOf(node), { POOL: 'east', MODE: 'lab', LOG: 'debug' })
  assert.equal(commandLine(node), 'quiet base gpu own base east')
  assert.deepEqual([node.rootfs?.value, node.rootfs?.by], ['new.tar', 'next boot'])
  assert.equal(node.rootfs?.over[0]?.by, 'profile lab (next boot)')
})

test('each value has its line, and those that it is stronger than', () => {
  const node = resolve('rig2')
  const mode = node.settings.get('MODE')
  assert.equal(mode?.by, 'profile lab (node)')
  assert.equal(placeOf(mode?.path ?? []), 'f:21:26')
  assert.deepEqual(
    mode?.over.map(({ value, by, path }) => [value, by, placeOf(path)]),
    [
      ['gpu', 'profile gpu (group gpus)', 'f:16:22'],
      ['base', 'profile base (group gpus)', 'f:7:22'],
      ['slow', 'every node', 'f:1:27'],
    ],
  )
  assert.deepEqual(
    node.kernelArgs.map(({ value, by, path }) => [value, by, placeOf(path)]),
    [
      ['quiet', 'every node', 'f:2:24'],
      ['base', 'profile base (group gpus)', 'f:8:18'],
      ['gpu', 'profile gpu (group gpus)', 'f:15:18'],
      ['own', 'node', 'f:32:38'],
    ],
  )
  assert.deepEqual([node.rack.by, node.hostname.value, node.hostname.by], ['', 'gpu02', 'group gpus'])
  assert.equal(placeOf(node.hostname.path), 'f:26:15')
  assert.deepEqual(node.root, {
    value: 'tmpfs',
    by: 'node',
    path: ['nodes', 1, 'root'],
    over: [
      { value: 'zram', by: 'profile gpu (group gpus)', path: ['profiles', 'gpu', 'root'] },
      { value: 'tmpfs', by: 'every node', path: ['netboot', 'root'] },
    ],
  })
  // One that stands where a list could.
  assert.deepEqual(
    node.plugins.map(({ path }) => placeOf(path)),
    ['f:9:14', 'f:13:15', 'f:13:23'],
  )
  // The default stands in no line.
  assert.equal(placeOf(['netboot', 'root']), undefined)
  assert.equal(placeOf(resolve('x', '10.1.0.1').rack.path), 'f:4:12')
})

test('groups know a node by the host name that it alone is given', () => {
  const node = resolve('52:54:00:00:00:01')
  assert.deepEqual(node.groups, ['gpus'])
  assert.deepEqual([node.hostname.value, node.hostname.over[0]?.value], ['rig1', 'gpu01'])
  assert.deepEqual(resolver.idsOf('rig1'), ['52:54:00:00:00:01'])
})

test('the profile “default” is every node’s, below all groups', () => {
  const { settings, profiles } = makeNodeResolver(
    parseConfig({
      name: 'f',
      text: `
settings: {A: top, B: top, C: top}
profiles:
  common: {settings: {C: common}}
  default: {extends: common, settings: {B: default, A: default}}
  x: {settings: {A: x}}
groups: [{name: g, match: {nodes: a}, profile: x}]`,
    }),
  ).resolve({ id: 'a', address: '', arch: undefined })
  assert.deepEqual(profiles, ['common', 'default', 'x'])
  assert.deepEqual(
    [...settings].map(([name, { value }]) => [name, value]),
    [
      ['A', 'x'],
      ['B', 'default'],
      ['C', 'common'],
    ],
  )
})

test('a profile that comes to a node twice counts where it comes last', () => {
  const { profiles, settings } = makeNodeResolver(
    parseConfig({
      name: 'f',
      text: `
profiles: {a: {settings: {X: a}}, b: {settings: {X: b}}}
groups:
  - {name: one, match: {nodes: n}, profile: [a, b]}
nodes: [{match: n, profile: a}]`,
    }),
  ).resolve({ id: 'n', address: '', arch: undefined })
  assert.deepEqual(profiles, ['b', 'a'])
  assert.equal(settings.get('X')?.value, 'a')
})

test('names that every object has are settings like others', () => {
  const { settings } = makeNodeResolver(
    parseConfig({ name: 'f', text: 'settings: {constructor: x, toString: y}' }),
  ).resolve({ id: 'n', address: '', arch: undefined })
  assert.deepEqual([settings.get('constructor')?.over, settings.get('toString')?.value], [[], 'y'])
})

test('as if in certain groups', () => {
  const node = resolver.resolveIn({ id: 'x', address: '', arch: undefined }, ['east'])
  assert.deepEqual([node.groups, node.profiles], [['east'], ['base', 'east']])
})

test('groups that list a node and groups that know it by its place keep the order of the file', () => {
  const { resolve } = makeNodeResolver(
    parseConfig({
      name: 'f',
      text: `
groups:
  - {name: a, match: {nodes: "x,n"}}
  - {name: b, match: {subnets: 10.0.0.0/8}}
  - {name: c, match: {macs: 52:54:00:00:00:01}}
  - {name: d, match: {nodes: n, subnets: 10.0.0.0/8}}
  - {name: e, match: {any: [{nodes: m}, {subnets: 10.1.0.0/16}]}}
  - {name: f, match: {any: [{nodes: n}, {macs: 52:54:00:00:00:01}]}}
  - {name: g, match: {macs: 52:54}}
nodes: [{match: 52:54:00:00:00:02, hostname: n}]`,
    }),
  )
  const groups = (id: string, address: string) => resolve({ id, address, arch: undefined }).groups.join('')
  assert.equal(groups('n', '10.1.0.1'), 'abdef')
  assert.equal(groups('n', '192.168.0.1'), 'af')
  assert.equal(groups('m', ''), 'e')
  assert.equal(groups('52:54:00:00:00:01', '10.2.0.1'), 'bcfg')
  assert.equal(groups('52:54:00:00:00:02', ''), 'afg')
  assert.equal(groups('other', '10.1.0.1'), 'be')
})
