/** Real interfaces, bridges and neighbours in namespaces of the test's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Clinic } from '../support.js'

test('interfaces that are missing, bare or without a link; a bridge with spanning tree; the same subnet twice', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = clinic.place
  const about = /^(INTERFACE|LINK|STP|ADDRESS|SUBNET|BIND|ROUTE)_/
  const quick = ['--timeout-s', '0.2', '--check', 'network']
  const clean = await clinic.doctor(...quick)
  assert.deepEqual(
    clean.codes().filter((code) => about.test(code)),
    [],
    JSON.stringify(clean.findings),
  )

  const missing = await clinic.doctor(...quick, '--interface', 'eth9')
  assert.match(missing.of('INTERFACE_MISSING')?.seen ?? '', /--interface names eth9/)
  assert.equal(missing.exit, 1)

  wire.server('ip', 'link', 'add', 'bare0', 'type', 'veth', 'peer', 'name', 'bare1')
  wire.server('ip', 'link', 'set', 'bare0', 'up')
  const bare = await clinic.doctor(...quick, '--netboot-interfaces', '[bare0]')
  assert.match(bare.of('INTERFACE_NO_ADDRESS')?.remedy ?? '', /ip address add .* dev bare0/)
  assert.match(bare.of('LINK_DOWN')?.seen ?? '', /bare0 has no link/)

  wire.server('ip', 'link', 'set', 'lan0', 'type', 'bridge', 'forward_delay', '1500', 'stp_state', '1')
  wire.server('ip', 'link', 'set', 'lan0', 'mtu', '1400')
  wire.server('ip', 'link', 'add', 'twin0', 'type', 'bridge')
  wire.server('ip', 'address', 'add', '10.77.0.9/24', 'dev', 'twin0')
  wire.server('ip', 'link', 'set', 'twin0', 'up')
  const slow = await clinic.doctor(...quick, '--netboot-interfaces', '[lan0, twin0]')
  assert.match(slow.of('STP_DELAY')?.seen ?? '', /cut off for 30 s/)
  assert.match(slow.of('LINK_MTU')?.seen ?? '', /1400/)
  assert.match(slow.of('SUBNET_TWICE')?.seen ?? '', /lan0 and twin0/)
})

test('a switch that speaks spanning tree, and a neighbour with the server’s address, are noticed on the wire', async (t) => {
  const clinic = Clinic.make(t)
  if (clinic === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = clinic.place
  wire.client('switch', '52:54:00:00:00:55')
  wire.run(
    'switch',
    'ip',
    'link',
    'add',
    'sw0',
    'type',
    'bridge',
    'forward_delay',
    '1500',
    'hello_time',
    '100',
    'stp_state',
    '1',
  )
  wire.run('switch', 'ip', 'link', 'set', 'eth0', 'master', 'sw0')
  wire.run('switch', 'ip', 'link', 'set', 'sw0', 'up')
  wire.run('site', 'ip', 'address', 'add', '10.77.0.1/24', 'dev', 'eth0')
  // A hello comes each second.
  const found = await clinic.doctorUntil(
    (now) => now.of('STP_ON_WIRE') !== undefined && now.of('ADDRESS_DUPLICATE') !== undefined,
    ...['--check', 'network'],
  )
  assert.match(found.of('STP_ON_WIRE')?.seen ?? '', /the switch speaks spanning tree \(forward delay 15 s\)/)
  assert.match(found.of('ADDRESS_DUPLICATE')?.seen ?? '', /52:54:00:00:00:aa has the address 10\.77\.0\.1/i)
})
