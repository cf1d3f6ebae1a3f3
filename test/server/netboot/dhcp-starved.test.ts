import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetbootSite } from './support.js'

const full =
  '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.119}]}'

test('machines that are not there lease all addresses: one that is gets one of theirs, and those that are keep theirs', async (t) => {
  const place = NetbootSite.make(t, full)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  const server = await place.start()
  wire.client('early', '52:54:00:00:00:01')
  const early = place.udhcpc('early').ip
  wire.client('inventor', '52:54:00:00:00:fe')
  wire.run('inventor', 'ip', 'address', 'add', '10.77.0.200/24', 'dev', 'eth0')
  assert.equal((await place.storm('inventor', 19, 100)).addresses, 19)
  wire.client('late', '52:54:00:00:00:02')
  const late = place.udhcpc('late').ip
  assert.ok(late !== undefined && late !== early)
  await server.line('dhcp.reclaimed')
  const lost = server.lines.filter(
    ({ event, msg }) => event === 'dhcp.reclaimed' && msg.startsWith(`${early} `),
  )
  assert.deepEqual(lost, [])
  assert.equal(place.udhcpc('early').ip, early)
})
