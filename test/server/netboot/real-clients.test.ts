import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../../support/processes.js'
import { mainFile } from '../main/support.js'
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
  const other = await place.dhclient('b')
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

test('a netboot process that dies is started again, with its ports, and knows its leases', async (t) => {
  const place = NetbootSite.make(t, full, 'user: nobody')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('a', '52:54:00:00:00:01')
  const server = await place.start()
  const before = place.udhcpc('a')
  for (let round = 0; round < 2; round++) {
    const from = server.lines.length
    process.kill(place.ownerOf(67), 'SIGKILL')
    await server.line('netboot.exited', from)
    await server.line('netboot.started', from)
    assert.equal(place.udhcpc('a').ip, before.ip)
  }
  await server.kill('SIGKILL')
  // The next start waits until the last process of this one has let the ports go.
  const next = await place.start()
  assert.equal(place.udhcpc('a').ip, before.ip)
  assert.equal(await next.kill('SIGTERM'), 0)
  assert.equal(place.wire.server('ss', '-Hlnu', 'sport = :67'), '')
})

test('an interface that gets its address late is served without a restart', async (t) => {
  const late =
    '{mode: full, interfaces: [late0], pools: [{subnet: 10.78.0.0/24, range: 10.78.0.5-10.78.0.9}]}'
  const place = NetbootSite.make(t, late)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const server = await place.start()
  await server.line('netboot.no-interface')
  place.wire.client('c', '52:54:00:00:00:03', 'late0')
  place.wire.server('ip', 'address', 'add', '10.78.0.1/24', 'dev', 'late0')
  await server.line('netboot.started')
  assert.match(place.udhcpc('c').ip ?? '', /^10\.78\.0\.[5-9]$/)
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
})

test('an address in use is noticed by ARP and left out', async (t) => {
  const two =
    '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.101}]}'
  const place = NetbootSite.make(t, two)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('squatter', '52:54:00:00:00:66')
  place.wire.run('squatter', 'ip', 'address', 'add', '10.77.0.100/24', 'dev', 'eth0')
  place.wire.client('a', '52:54:00:00:00:01')
  place.wire.client('b', '52:54:00:00:00:02')
  const server = await place.start()
  // In an empty pool one of the two would be sent to .100.
  assert.equal(place.udhcpc('a').ip, '10.77.0.101')
  assert.throws(() => place.udhcpc('b', '-t', '2'))
  const conflict = await server.line('dhcp.conflict')
  assert.equal(conflict.code, 'DHCP_ADDRESS_CONFLICT')
  assert.match(conflict.msg, /10\.77\.0\.100 is used by 52:54:00:00:00:66/)
})

test('proxy mode beside dnsmasq: addresses are its, Linux is left alone', async (t) => {
  const place = NetbootSite.make(t, '{mode: proxy, interfaces: [lan0]}')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('site', '52:54:00:00:00:aa')
  place.wire.run('site', 'ip', 'address', 'add', '10.77.0.2/24', 'dev', 'eth0')
  const range = '--dhcp-range=10.77.0.100,10.77.0.110,1h'
  const files = [`--dhcp-leasefile=${place.site.dir}/dnsmasq.leases`, '--pid-file=', '--conf-file=/dev/null']
  await place.background(t, 'site', 'dnsmasq', '--no-daemon', '--port=0', '--user=root', range, ...files)
  place.wire.client('a', '52:54:00:00:00:01')
  const server = await place.start()
  assert.equal(place.udhcpc('a').serverid, '10.77.0.2')
  assert.match((await server.line('dhcp.site-server')).msg, /10\.77\.0\.2/)
  await until('the counters', async () => {
    const dhcp = place.status(server).netboot.services.dhcp
    return (dhcp?.discovers ?? 0) > 0 && dhcp?.offers === 0 && dhcp.boot_offers === 0 ? true : undefined
  })
})

test('500 machines in 10 s, and 500 at once: each has an address of its own', async (t) => {
  const big =
    '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/16, range: 10.77.1.0-10.77.4.255}]}'
  const place = NetbootSite.make(t, big, '', '10.77.0.1/16')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('fleet', '52:54:00:00:00:fe')
  place.wire.run('fleet', 'ip', 'address', 'add', '10.77.0.200/16', 'dev', 'eth0')
  const server = await place.start()
  for (const spreadMs of [10_000, 0]) {
    const result = await place.storm('fleet', 500, spreadMs)
    t.diagnostic(`500 machines over ${spreadMs} ms: ${JSON.stringify(result)}`)
    assert.deepEqual([result.done, result.addresses], [500, 500])
  }
  await until('the leases', async () => place.leases() === 500 || undefined)
  assert.equal(await server.kill('SIGTERM'), 0)
})

test('without the right to open the ports: on without network boot, unless that was asked for', async (t) => {
  const place = NetbootSite.make(t, '{mode: auto, interfaces: [lan0]}')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, mainFile]
  place.site.command = place.wire.command('server', ...asNobody)
  place.wire.server('chown', '-R', '65534:65534', place.site.dir)
  const server = await place.start()
  const off = await server.line('netboot.off')
  assert.equal(off.code, 'NETBOOT_NOT_ALLOWED')
  assert.match(off.msg, /sudo npm start/)
  assert.equal(place.status(server).netboot.mode, 'off')
  assert.equal(await server.kill('SIGTERM'), 0)
  const insisting = place.site.start('--netboot-mode', 'proxy')
  assert.equal(await insisting.exited, 1)
  assert.match(insisting.stderr, /NETBOOT_NOT_ALLOWED/)
})

test('a port that another DHCP server of this machine has is said, and the server goes on', async (t) => {
  const place = NetbootSite.make(t, '{mode: auto, interfaces: [lan0]}')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const hold = "require('dgram').createSocket('udp4').bind(67, () => console.log('bound'))"
  await place.background(t, 'server', process.execPath, '-e', hold)
  const server = await place.start()
  const off = await server.line('netboot.off')
  assert.equal(off.code, 'ADDRESS_IN_USE')
  assert.match(off.msg, /UDP port 67/)
})

test('through a relay: the pool of the subnet that the relay stands in', async (t) => {
  const pools = `[{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110},
    {subnet: 10.78.0.0/24, range: 10.78.0.5-10.78.0.9, router: 10.78.0.1}]`
  const place = NetbootSite.make(t, `{mode: full, interfaces: [lan0], pools: ${pools}}`)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  wire.client('relay', '52:54:00:00:00:fd')
  wire.run('relay', 'ip', 'address', 'add', '10.77.0.254/24', 'dev', 'eth0')
  wire.client('far', '52:54:00:00:00:07', 'far0', 'relay')
  wire.run('relay', 'ip', 'address', 'add', '10.78.0.1/24', 'dev', 'far0')
  // The server answers to the relay's address on the far side.
  wire.server('ip', 'route', 'add', '10.78.0.0/24', 'via', '10.77.0.254')
  const relay = ['--no-daemon', '--port=0', '--user=root', '--pid-file=', '--conf-file=/dev/null']
  await place.background(t, 'relay', 'dnsmasq', ...relay, '--dhcp-relay=10.78.0.1,10.77.0.1')
  await place.start()
  const given = place.udhcpc('far')
  assert.match(given.ip ?? '', /^10\.78\.0\.[5-9]$/)
  assert.deepEqual([given.router, given.serverid], ['10.78.0.1', '10.77.0.1'])
})

test('the package dhcp as a client gets a lease', async (t) => {
  const place = NetbootSite.make(t, full)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('a', '52:54:00:00:00:01')
  // It sends to 255.255.255.255 from a socket without an address: that needs a route.
  place.wire.run('a', 'ip', 'route', 'add', 'default', 'dev', 'eth0')
  await place.start()
  const script = fileURLToPath(new URL('./package-client.js', import.meta.url))
  const state = JSON.parse(place.wire.run('a', process.execPath, script, '52:54:00:00:00:01'))
  assert.match(state.address, /^10\.77\.0\.1(0\d|10)$/)
  assert.equal(state.server, '10.77.0.1')
})
