import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PowerNode, wayOf } from '../../../server/power/ways.js'

const macs = ['52:54:00:00:00:01']
const node: PowerNode = { id: 'rig1', name: 'lab1', macs, address: '10.0.0.1', power: undefined }
const power = { command: ['/opt/pdu', '{action}', '{mac}'] }

test('by the command where there is one, else Wake-on-LAN; a reboot needs a command', () => {
  const argv = (action: string) => ['/opt/pdu', action, '52:54:00:00:00:01']
  assert.deepEqual(wayOf('reboot', { ...node, power }), { kind: 'command', argv: argv('reboot') })
  assert.deepEqual(wayOf('wake', { ...node, power }), { kind: 'command', argv: argv('wake') })
  // One that knows one action only is for reboots.
  const plain = { ...node, power: { command: ['/opt/reset', '{name}'] } }
  assert.deepEqual(wayOf('reboot', plain), { kind: 'command', argv: ['/opt/reset', 'lab1'] })
  assert.deepEqual(wayOf('wake', plain), { kind: 'wake-on-lan', macs })
  assert.deepEqual(wayOf('wake', node), { kind: 'wake-on-lan', macs })
  assert.throws(() => wayOf('reboot', node), /nothing says how it is rebooted: set `power`/)
  assert.throws(
    () => wayOf('wake', { ...node, macs: [] }),
    /its MAC address is not known: it has to boot once/,
  )
  assert.throws(() => wayOf('reboot', { ...node, macs: [], power }), /asks for \{mac\}/)
})

test('a controller does both, at the address that the node’s own name makes', () => {
  const account = { user: 'admin', password_file: '/etc/bmc' }
  const who = { user: 'admin', passwordFile: '/etc/bmc' }
  const ipmi = { ...node, power: { ipmi: { host: 'bmc-{name}.lan', ...account } } }
  const target = { host: 'bmc-lab1.lan', port: 623, ...who }
  for (const action of ['wake', 'reboot'] as const)
    assert.deepEqual(wayOf(action, ipmi), { kind: 'ipmi', target })
  const redfish = { ...node, power: { redfish: { url: 'https://bmc-{id}', ...account, fingerprint: 'ab' } } }
  assert.deepEqual(wayOf('reboot', redfish), {
    kind: 'redfish',
    target: { url: 'https://bmc-rig1', ...who, caFile: undefined, fingerprint: 'ab' },
  })
  // An identity may have colons, which no host has.
  const mac = { ...ipmi, id: macs[0] ?? '', power: { ipmi: { host: '{id}', ...account } } }
  assert.throws(() => wayOf('reboot', mac), /power\.ipmi\.host is no address for it: 52:54/)
})
