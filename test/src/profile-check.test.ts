import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffConfigs } from '../../src/config-diff.js'
import { makeNodeConfigs } from '../../src/node-config.js'
import { makeNodeResolver, namedIds } from '../../src/resolve-node.js'
import { fuzzed, outcome } from '../fuzz.js'
import { parseConfig } from '../support/config.js'

const parse = (text: string) => parseConfig({ text, name: 'f.yaml' })

test('what does not fit together is refused with its place', () => {
  const cases: [string, string][] = [
    [
      'profiles:\n  a: {extends: b}\n  b: {extends: [c]}\n  c:\n    extends: a',
      'f.yaml:5:14: profiles.c.extends: a profile cannot extend itself: a -> b -> c -> a',
    ],
    [
      'profiles:\n  a: {extends: b}\n  b: {extends: b}',
      'f.yaml:3:16: profiles.b.extends: a profile cannot extend itself: b -> b',
    ],
    [
      'profiles:\n  a: {extends: constructor}',
      'f.yaml:2:16: profiles.a.extends: there is no profile constructor, only a',
    ],
    [
      'groups: [{name: g, match: {nodes: a}, profile: x}]',
      'f.yaml:1:48: groups.0.profile: there is no profile x',
    ],
    ['nodes: [{match: a, profile: [x]}]', 'f.yaml:1:29: nodes.0.profile: there is no profile x'],
    [
      'groups:\n  - {name: g, match: {nodes: a}}\n  - {name: g, match: {nodes: b}}',
      'f.yaml:3:12: groups.1.name: there are two groups g',
    ],
    [
      'groups: [{name: g, match: {racks: r}, hostname: "a{index}"}]',
      'f.yaml:1:49: groups.0.hostname: expected nodes or whole MAC addresses in match: {index} is the place among them',
    ],
    [
      'groups: [{name: g, match: {nodes: "a[1-2]"}, hostname: "{rack}"}]',
      'f.yaml:1:56: groups.0.hostname: expected {index}, {mac} or {serial} in it: a host name belongs to one node',
    ],
    [
      'groups:\n  - {name: g, match: {nodes: "a[1-9]"}, hostname: "n{index}"}\n  - {name: h, match: {nodes: "b[1-3]"}, hostname: "n{index:1}"}',
      'f.yaml:3:51: groups.1.hostname: a1 and b1 would both get the host name n1',
    ],
    [
      'groups:\n  - {name: g, match: {nodes: "a[1-9]"}, hostname: "n{index}"}\nnodes: [{match: x, hostname: N3}]',
      'f.yaml:2:51: groups.0.hostname: x and a3 would both get the host name n3',
    ],
    [
      'nodes:\n  - {match: "a[1-2]", hostname: "b{index}"}\n  - {match: b2}',
      'f.yaml:2:33: nodes.0.hostname: a2 and b2 would both get the host name b2',
    ],
    [
      'groups:\n  - {name: g, match: {nodes: "a[1-2]"}, hostname: "{rack}-{index}"}\n  - {name: h, match: {nodes: "b[1-2]"}, hostname: "{rack}-{index}"}',
      'f.yaml:3:51: groups.1.hostname: a1 and b1 would both get the host name rack-1, since both may be in one rack',
    ],
  ]
  for (const [text, message] of cases)
    assert.throws(() => parse(text), { code: 'CONFIG_INVALID', message }, text)
})

test('what has its own meaning is let through', () => {
  const texts = [
    // Written out twice by hand, as ever.
    'nodes: [{match: a, hostname: x}, {match: b, hostname: x}]',
    // The node’s own name goes before the group’s.
    'groups: [{name: g, match: {nodes: "a[1-2]"}, hostname: "n{index}"}]\nnodes: [{match: a1, hostname: other}, {match: b, hostname: n1}]',
    'racks: [{name: r, nodes: "a[1-2]", subnets: []}, {name: s, nodes: "b[1-2]", subnets: []}]\ngroups:\n  - {name: g, match: {nodes: "a[1-2]"}, hostname: "{rack}-{index}"}\n  - {name: h, match: {nodes: "b[1-2]"}, hostname: "{rack}-{index}"}',
    // Groups of two racks.
    'groups:\n  - {name: g, match: {nodes: "a[1-2]", racks: r}, hostname: "{rack}-{index}"}\n  - {name: h, match: {all: [{racks: s}], nodes: "b[1-2]"}, hostname: "{rack}-{index}"}',
    'profiles: {a: {extends: [b, c]}, b: {extends: d}, c: {extends: d}, d: {}}',
    'groups: [{name: g, match: {macs: 52:54:00:00:00:01}, hostname: "bench"}]',
  ]
  for (const text of texts) parse(text)
})

test('a mistake in a profile or a group is reported with its place and what was expected', () => {
  const cases: [string, string, string][] = [
    [
      'profiles:\n  a: {kernel_arg: x}',
      'CONFIG_UNKNOWN_KEY',
      'f.yaml:2:7: unknown key profiles.a.kernel_arg: did you mean kernel_args?',
    ],
    [
      'groups: [{name: g, match: {any: [{subnet: 10.0.0.0/8}]}}]',
      'CONFIG_UNKNOWN_KEY',
      'f.yaml:1:35: unknown key groups.0.match.any.0.subnet: did you mean subnets?',
    ],
    [
      'groups: [{name: g, match: {any: [{}]}}]',
      'CONFIG_INVALID',
      'f.yaml:1:34: groups.0.match.any.0: expected one of nodes, macs, subnets, racks, relay_ids, archs, dmi, pci',
    ],
    [
      'groups: [{name: g, match: {}}]',
      'CONFIG_INVALID',
      'f.yaml:1:27: groups.0.match: expected one of nodes, macs, subnets, racks, relay_ids, archs, dmi, pci, any, all',
    ],
    [
      'groups: [{name: g, match: {macs: [52:5]}}]',
      'CONFIG_INVALID',
      'f.yaml:1:35: groups.0.match.macs.0: expected a MAC address or whole bytes of one, got "52:5"',
    ],
    [
      'groups: [{name: g, match: {archs: amd64}}]',
      'CONFIG_INVALID',
      'f.yaml:1:35: groups.0.match.archs: expected one of x86_64, arm64, i386, riscv64, loong64, got "amd64"',
    ],
    [
      'profiles: {a: {extends: 5}}',
      'CONFIG_INVALID',
      'f.yaml:1:25: profiles.a.extends: expected one or a list of them, got 5: put it in quotes',
    ],
    [
      'profiles: {a/b: {}}',
      'CONFIG_INVALID',
      'f.yaml:1:17: profiles.a/b: expected a name of letters, digits, dots, dashes and _',
    ],
    [
      'profiles: {a: {rootfs: ../x}}',
      'CONFIG_INVALID',
      'f.yaml:1:24: profiles.a.rootfs: expected the name of a file, got "../x"',
    ],
    ['profiles: {a:}', 'CONFIG_INVALID', 'f.yaml:1:14: profiles.a: expected keys and values, got nothing'],
  ]
  for (const [text, code, message] of cases) assert.throws(() => parse(text), { code, message }, text)
})

test('settings of a profile are the text that was written', () => {
  assert.deepEqual(parse('profiles: {a: {settings: {A: 0644, B: yes, C:}}}').profiles.a?.settings, {
    A: '0644',
    B: 'yes',
    C: '',
  })
})

test('settings of groups and nodes together are bounded', () => {
  const of = (letter: string) => Array.from({ length: 200 }, (_, i) => `${letter}${i}: x`).join(', ')
  const groups = `profiles: {a: {settings: {${of('A')}}}, b: {settings: {${of('B')}}}}
groups: [{name: g, match: {nodes: n}, profile: [a, b]}]`
  assert.throws(() => parse(groups), { code: 'CONFIG_INVALID', message: /n has 400 settings/ })
  const open = groups.replace('nodes: n', 'racks: r')
  assert.throws(() => parse(open), { code: 'CONFIG_INVALID', message: /group g has 400 settings/ })
})

test('kernel arguments that profiles put together fit into what kernels take', () => {
  const words = (letter: string) => Array.from({ length: 100 }, () => letter.repeat(9)).join(' ')
  const profiles = `profiles: {a: {kernel_args: ${words('a')}}, b: {kernel_args: ${words('b')}}}\n`
  const message = (who: string) => new RegExp(`${who} has 1999 characters of kernel arguments`)
  const open = `${profiles}groups: [{name: g, match: {subnets: 10.0.0.0/8}, profile: [a, b]}]`
  assert.throws(() => parse(open), { code: 'CONFIG_INVALID', message: message('group g') })
  const own = `${profiles}nodes: [{match: n, profile: [a, b]}]`
  assert.throws(() => parse(own), { code: 'CONFIG_INVALID', message: message('profiles.b.kernel_args: n') })
  parse(`${profiles}nodes: [{match: n, profile: a}, {match: m, profile: b}]`)
  // As long as it always could be.
  parse(`netboot: {kernel_args: ${words('c')}}\nnodes: [{match: n, kernel_args: ${words('d')}}]`)
})

test('whatever passes the checks can be resolved, used and compared', () => {
  const text = `
settings: {A: a}
racks: [{name: east, subnets: [10.1.0.0/16], relay_ids: ["sw*"]}]
profiles:
  base: {kernel_args: quiet, plugins: "!x*", settings: {B: 0644}}
  gpu: {extends: [base], rootfs: gpu-*, root: zram, plugins: [a, "b*"]}
  default: {settings: {C: c}}
groups:
  - {name: g, match: {nodes: "n[1-9]", any: [{racks: east}, {archs: x86_64}]}, profile: gpu}
  - {name: h, match: {macs: [52:54, "00:11:22:33:44:55"], subnets: 10.0.0.0/8}, profile: [base, gpu], hostname: "h{index:2}-{rack}"}
nodes:
  - {match: "n[2-3]", profile: base, hostname: "m{index}", plugins: "*"}
  - {match: 52:54:00:00:00:01, hostname: n7, rootfs: own}
`
  const before = parse(text)
  const codes = new Set<string>()
  for (const bytes of fuzzed(Buffer.from(text), 11, 1500)) {
    codes.add(
      outcome(() => {
        const config = parse(bytes.toString('latin1'))
        const configs = makeNodeConfigs(config, () => ['sw1'])
        for (const id of namedIds(makeNodeResolver(config))) configs.of(id, '10.1.2.3', 'x86_64')
        assert.ok(configs.of('52:54:00:00:00:09', '10.1.2.3').hostname.length > 0)
        diffConfigs(before, config)
      }),
    )
  }
  assert.deepEqual([...codes].sort(), ['CONFIG_INVALID', 'CONFIG_UNKNOWN_KEY', 'ok'])
})
