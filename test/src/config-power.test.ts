import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePlacedConfig } from '../../src/config-parse.js'
import { fillIn, parseHost, powerText } from '../../src/config-power.js'
import { makeNodeConfigs } from '../../src/node-config.js'
import { shownNode } from '../../src/shown-node.js'
import { parseConfig } from '../support/config.js'

const values = { id: 'rig1', name: 'lab1', mac: '52:54:00:00:00:01', address: '10.0.0.1', action: 'reboot' }

test('a text has what it asks of the node, and what is not known is none', () => {
  assert.equal(
    fillIn('{mac} {id} {address}-{name}:{action}', values),
    '52:54:00:00:00:01 rig1 10.0.0.1-lab1:reboot',
  )
  assert.throws(() => fillIn('{mac}', { ...values, mac: undefined }), /asks for \{mac\}, which is not known/)
  // What stands in a value is not looked at again.
  assert.equal(fillIn('{name}', { ...values, name: '{id}' }), '{id}')
})

test('what is configured, for people, without its secrets', () => {
  const account = { user: 'admin', password_file: '/etc/secret' }
  const texts = [
    powerText({ command: ['/opt/pdu', '--do={action}', '{mac} {id}'] }),
    powerText({ ipmi: { host: 'bmc-{name}', ...account } }),
    powerText({ redfish: { url: 'https://bmc-{name}', ...account } }),
  ]
  assert.deepEqual(texts, [
    'command /opt/pdu --do={action} "{mac} {id}"',
    'ipmi admin at bmc-{name}',
    'redfish admin at https://bmc-{name}',
  ])
})

test('controllers are named by host and port', () => {
  assert.deepEqual(['bmc1', '10.0.0.9:9623', '[fd00::1]:700', 'bmc-x.lan'].map(parseHost), [
    { host: 'bmc1', port: 623 },
    { host: '10.0.0.9', port: 9623 },
    { host: 'fd00::1', port: 700 },
    { host: 'bmc-x.lan', port: 623 },
  ])
  for (const text of ['', '-H', 'a b', 'a:0', 'a:99999', 'a/b', 'a:1:2'])
    assert.equal(parseHost(text), undefined, text)
})

test('one way, and all that it needs', () => {
  const ipmi = 'host: "bmc-{name}", user: u, password_file: /f'
  const good = [
    `ipmi: {${ipmi}}`,
    `ipmi: {${ipmi.replace('bmc-{name}', '{id}')}}`,
    'redfish: {url: "https://bmc-{name}:8443/redfish/v1/Systems/1", user: u, password_file: /f, ca: /ca.pem}',
    `redfish: {url: "https://10.0.0.9", user: u, password_file: /f, fingerprint: "${'AB:'.repeat(31)}AB"}`,
  ]
  for (const power of good) parseConfig({ name: 'f', text: `nodes: [{match: rig1, power: {${power}}}]` })
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /expected one of command, ipmi, redfish/],
    [`ipmi: {${ipmi}}, command: [/x]`, /expected one of command, ipmi, redfish/],
    ['ipmi: {host: x, user: u}', /password_file/],
    ['ipmi: {host: x, user: u, password: secret}', /password/],
    ['ipmi: {host: "-x", user: u, password_file: /f}', /expected a name or an IP address/],
    ['ipmi: {host: "{moon}", user: u, password_file: /f}', /there is no \{moon\}/],
    ['ipmi: {host: x, user: "a b", password_file: /f}', /name of a user/],
    ['ipmi: {host: x, user: u, password_file: f}', /whole path of a file/],
    ['redfish: {url: "http://x", user: u, password_file: /f}', /expected https:/],
    ['redfish: {url: "https://u:p@x", user: u, password_file: /f}', /expected https:/],
    [
      `redfish: {url: "https://x", user: u, password_file: /f, ca: /c, fingerprint: "${'a'.repeat(64)}"}`,
      /ca or fingerprint/,
    ],
    ['redfish: {url: "https://x", user: u, password_file: /f, fingerprint: abc}', /64 hex digits/],
  ]
  for (const [power, message] of wrong)
    assert.throws(
      () => parseConfig({ name: 'f', text: `nodes: [{match: rig1, power: {${power}}}]` }),
      { message },
      power,
    )
})

test('a command begins with a whole path, and asks for what there is', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['[]', /nodes/],
    ['[pdu, "{name}"]', /expected the whole path of a program first/],
    ['["/opt/{name}"]', /expected the whole path of a program first/],
    ['[/opt/pdu, "{password}"]', /there is no \{password\}, only \{id\}, \{name\}/],
    ['[/opt/pdu, ""]', /command/],
    ['[/opt/pdu, "a\\nb"]', /expected no control characters/],
    ['/opt/pdu', /command/],
    [`[/opt/pdu, ${'x'.repeat(1025)}]`, /command/],
  ]
  for (const [command, message] of wrong) {
    const text = `nodes: [{match: rig1, power: {command: ${command}}}]`
    assert.throws(() => parseConfig({ name: 'f', text }), { code: /CONFIG_/, message }, command)
  }
})

test('profiles and nodes give it, the node’s own first, each with its line', () => {
  const text = `profiles:
  lab: {power: {command: [/opt/lab, "{name}"]}}
  default: {power: {command: [/opt/all, "{name}"]}}
groups: [{name: labs, match: {nodes: "rig[1-2]"}, profile: lab}]
nodes: [{match: rig2, power: {command: [/opt/own]}}]`
  const { config, placeOf } = parsePlacedConfig({ name: 'f', text })
  const configs = makeNodeConfigs(config)
  const programOf = (id: string) => configs.of(id, '').power?.command?.[0]
  assert.deepEqual(['rig1', 'rig2', 'other'].map(programOf), ['/opt/lab', '/opt/own', '/opt/all'])
  const asked = { id: 'rig2', address: '', arch: undefined }
  const { power } = shownNode({ ...configs.explain(asked), placeOf, racksAbove: [] })
  assert.deepEqual(power, {
    ...{ value: 'command /opt/own', by: 'node', place: 'f:5:30' },
    over: [
      { value: 'command /opt/lab {name}', by: 'profile lab (group labs)', place: 'f:2:16' },
      { value: 'command /opt/all {name}', by: 'profile default (every node)', place: 'f:3:20' },
    ],
  })
})
