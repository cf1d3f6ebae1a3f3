import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/processes.js'
import { NetbootSite } from './support.js'

const full = `{mode: full, interfaces: [lan0], lease_s: 600, router: 10.77.0.254, dns: [10.77.0.2, 10.77.0.3],
  domain: farm.example, pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110}],
  reservations: [{mac: "52-54-00-00-00-09", address: 10.77.0.50}]}`

test('full mode: udhcpc and dhclient get an address and all that goes with it; a restart keeps it', async (t) => {
  const place = NetbootSite.make(t, full)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('a', '52:54:00:00:00:01')
  place.wire.client('b', '52:54:00:00:00:02')
  place.wire.client('r', '52:54:00:00:00:09')
  const first = await place.start()
  const given = place.udhcpc('a', '-O', 'broadcast')
  assert.match(given.ip ?? '', /^10\.77\.0\.1(0\d|10)$/)
  assert.deepEqual(
    [given.subnet, given.router, given.dns, given.domain, given.lease, given.serverid],
    ['255.255.255.0', '10.77.0.254', '10.77.0.2 10.77.0.3', 'farm.example', '600', '10.77.0.1'],
  )
  const other = place.dhclient('b')
  assert.notEqual(other.new_ip_address, given.ip)
  assert.deepEqual(
    [other.new_subnet_mask, other.new_routers, other.new_dhcp_lease_time],
    ['255.255.255.0', '10.77.0.254', '600'],
  )
  assert.equal(place.udhcpc('r').ip, '10.77.0.50')
  // The process reports once a second.
  await until('the counters', async () => place.status(first).netboot.services.dhcp?.acks === 3 || undefined)
  assert.equal(await first.kill('SIGTERM'), 0)

  await place.start()
  assert.equal(place.udhcpc('b').ip, other.new_ip_address)
  assert.equal(place.udhcpc('a').ip, given.ip)
})

test('the daemon and its netboot process do not stay root', async (t) => {
  const place = NetbootSite.make(t, '{mode: auto, interfaces: [lan0]}', 'user: nobody')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const server = await place.start()
  assert.equal(place.status(server).netboot.mode, 'proxy')
  const owners = place.wire
    .server('ss', '-Hlnpu', 'sport = :67 or sport = :4011')
    .split('\n')
    .flatMap((line) => /pid=(\d+)/.exec(line)?.[1] ?? [])
  assert.equal(owners.length, 3)
  for (const pid of new Set(owners)) {
    const uids = place.wire.server('grep', '^Uid', `/proc/${pid}/status`).trim().split(/\s+/).slice(1)
    assert.ok(
      uids.every((uid) => uid !== '0'),
      uids.join(' '),
    )
  }
})
