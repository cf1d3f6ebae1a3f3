import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePlacedConfig } from '../../src/config-parse.js'
import { fillCommand, knowsAction, powerText } from '../../src/config-power.js'
import { makeNodeConfigs } from '../../src/node-config.js'
import { shownNode } from '../../src/shown-node.js'
import { parseConfig } from '../support/config.js'

const pdu = { command: ['/opt/pdu', '--do={action}', '{name}', '{mac} {id} {address}'] }
const values = { id: 'rig1', name: 'lab1', mac: '52:54:00:00:00:01', address: '10.0.0.1', action: 'reboot' }

test('the words of a command have what it asks of the node, and what is not known is no word', () => {
  const words = ['/opt/pdu', '--do=reboot', 'lab1', '52:54:00:00:00:01 rig1 10.0.0.1']
  assert.deepEqual(fillCommand(pdu, values), words)
  assert.throws(() => fillCommand(pdu, { ...values, mac: undefined }), /asks for \{mac\}, which is not known/)
  // What stands in a value is not looked at again.
  assert.deepEqual(fillCommand({ command: ['/x', '{name}'] }, { ...values, name: '{id}' }), ['/x', '{id}'])
  assert.deepEqual([knowsAction(pdu), knowsAction({ command: ['/x', '{name}'] })], [true, false])
  assert.equal(powerText(pdu), 'command /opt/pdu --do={action} {name} "{mac} {id} {address}"')
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
  assert.throws(() => parseConfig({ name: 'f', text: 'nodes: [{match: rig1, power: {}}]' }), {
    code: 'CONFIG_INVALID',
  })
})

test('profiles and nodes give it, the node’s own first, each with its line', () => {
  const text = `profiles:
  lab: {power: {command: [/opt/lab, "{name}"]}}
  default: {power: {command: [/opt/all, "{name}"]}}
groups: [{name: labs, match: {nodes: "rig[1-2]"}, profile: lab}]
nodes: [{match: rig2, power: {command: [/opt/own]}}]`
  const { config, placeOf } = parsePlacedConfig({ name: 'f', text })
  const configs = makeNodeConfigs(config)
  const programOf = (id: string) => configs.of(id, '').power?.command[0]
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
