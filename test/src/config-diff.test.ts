import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConfigDiff, diffConfigs, isNoChange, type ValueChange } from '../../src/config-diff.js'
import { foldHostlist } from '../../src/hostlist.js'
import { parseConfig } from '../support/config.js'

const diff = (before: string, after: string) =>
  diffConfigs(parseConfig({ text: before, name: 'a' }), parseConfig({ text: after, name: 'b' }))
const values = (changes: readonly ValueChange[]) =>
  changes.map(({ name, before, after }) => `${name}: ${before} -> ${after}`)
const nodes = ({ nodes }: ConfigDiff) =>
  nodes.map(({ ids, groups, isOthers, changes }) => [foldHostlist(ids), groups, isOthers, values(changes)])

const base = `
settings: {POOL: a}
profiles:
  gpu: {rootfs: gpu-1, settings: {MODE: fast}}
  lab: {kernel_args: lab}
groups:
  - {name: gpus, match: {nodes: "rig[001-100]"}, profile: gpu}
  - {name: labs, match: {subnets: 10.1.0.0/16}, profile: lab}
nodes:
  - {match: extra, settings: {POOL: own}}
`

test('the same configuration, also written otherwise, changes nothing', () => {
  const written = `# again\n${base.replace('POOL: a', '"POOL": "a"')}\nhttp: {port: 8480}\n`
  const found = diff(base, written)
  assert.ok(isNoChange(found), JSON.stringify(found))
  assert.ok(!isNoChange(diff(base, `${base}site: other`)))
})

test('nodes are told together for which the same changes', () => {
  assert.deepEqual(nodes(diff(base, base.replace('gpu-1', 'gpu-2'))), [
    ['rig[001-100]', [], false, ['rootfs: gpu-1 -> gpu-2']],
  ])
  assert.deepEqual(nodes(diff(base, base.replace('POOL: a', 'POOL: b'))), [
    ['rig[001-100]', ['labs'], true, ['settings.POOL: a -> b']],
  ])
  assert.deepEqual(nodes(diff(base, base.replace('lab: {kernel_args: lab}', 'lab: {root: zram}'))), [
    ['', ['labs'], false, ['root: tmpfs -> zram', 'kernel_args: lab -> undefined']],
  ])
})

test('a node that comes to a group, or is named no longer, gets or loses what that gives', () => {
  assert.deepEqual(nodes(diff(base, base.replace('001-100', '001-102'))), [
    ['rig[101-102]', [], false, ['rootfs: undefined -> gpu-1', 'settings.MODE: undefined -> fast']],
  ])
  assert.deepEqual(nodes(diff(base, base.replace(/nodes:\n.*/, ''))), [
    ['extra', [], false, ['settings.POOL: own -> a']],
  ])
  const moved = base.replace(
    'match: extra, settings: {POOL: own}',
    'match: rig007, profile: lab, plugins: "!x"',
  )
  assert.deepEqual(nodes(diff(base, moved)), [
    ['extra', [], false, ['settings.POOL: own -> a']],
    ['rig007', [], false, ['plugins: undefined -> !x', 'kernel_args: undefined -> lab']],
  ])
})

test('host names and racks of nodes that are named', () => {
  const named = base.replace('profile: gpu}', 'profile: gpu, hostname: "g{index:3}"}')
  const changes = nodes(diff(base, named))
  assert.equal(changes.length, 100)
  assert.deepEqual(changes[6], ['rig007', [], false, ['hostname: rig007 -> g007']])
  assert.deepEqual(nodes(diff(base, base.replace('extra,', 'extra, rack: cellar,'))), [
    ['extra', [], false, ['rack: unknown -> cellar']],
  ])
})

test('groups that match by something else, what the server takes over, and what needs a restart', () => {
  const after = `${base.replace('10.1.0.0/16', '10.2.0.0/16')}
racks: [{name: r, subnets: [10.0.0.0/8]}]
log: {level: debug}
https: {port: 9443}
`
  const { nodes, regrouped, live, restart } = diff(base, after)
  assert.deepEqual([nodes, regrouped], [[], ['labs']])
  assert.deepEqual(values(live), [
    'log.level: info -> debug',
    'racks: [] -> [{"name":"r","subnets":["10.0.0.0/8"]}]',
  ])
  assert.deepEqual(values(restart), ['https.port: 8443 -> 9443'])
})
