import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostInterface } from '../../../host/interfaces.js'
import { parseArpTable } from '../../../server/netboot/dhcp/arp.js'
import { makeDhcpSite, whyNothingServed } from '../../../server/netboot/dhcp-site.js'
import { mayOpenLowPorts } from '../../../server/netboot/low-ports.js'
import { formatIpv4 } from '../../../src/ipv4.js'
import { parseConfig } from '../../support/config.js'
import { card, loopback, virtual } from '../../support/interfaces.js'

const netboot = (yaml: string) => parseConfig({ text: `netboot: ${yaml}`, name: 'f.yaml' }).netboot
const docker0 = virtual('docker0', 'a bridge without a network card', '172.17.0.1/16')
const machine: readonly HostInterface[] = [
  loopback,
  card('enp3s0', 'fe80::1/64', '10.1.0.1/24', '10.2.0.1/16'),
  docker0,
  card('wlan0', '192.168.7.2/24'),
]
const served = (yaml: string, mode: 'proxy' | 'full' = 'proxy') =>
  makeDhcpSite(netboot(yaml), mode, machine, { httpPort: 1 }).interfaces.map(
    ({ name, address }) => `${name} ${formatIpv4(address)}`,
  )

test('interfaces: those that a card or a pool leads to, or those that are named', () => {
  assert.deepEqual(served('{}'), ['enp3s0 10.1.0.1', 'wlan0 192.168.7.2'])
  assert.deepEqual(served('{interfaces: [docker0, lo]}'), ['lo 127.0.0.1', 'docker0 172.17.0.1'])
  const bridged = 'pools: [{subnet: 172.17.0.0/16, range: 172.17.1.0-172.17.1.9}]'
  assert.deepEqual(served(`{mode: full, ${bridged}}`, 'full'), [
    'enp3s0 10.1.0.1',
    'docker0 172.17.0.1',
    'wlan0 192.168.7.2',
  ])
  const pools = 'pools: [{subnet: 10.2.0.0/16, range: 10.2.1.0-10.2.1.9}]'
  assert.deepEqual(served(`{mode: full, interfaces: [enp3s0], ${pools}}`, 'full'), ['enp3s0 10.2.0.1'])
})

test('where nothing is served, each interface says why', () => {
  const why = (yaml: string, interfaces: readonly HostInterface[]) =>
    whyNothingServed(netboot(yaml), interfaces)
  assert.equal(
    why('{}', [loopback, docker0, card('eth0', 'fe80::1/64')]),
    'docker0 is a bridge without a network card; eth0 has no IPv4 address',
  )
  assert.equal(why('{interfaces: [lan0]}', [loopback, docker0]), 'lan0 has no IPv4 address')
  assert.equal(why('{}', [loopback]), 'no network interface has an address')
})

test('a pool’s router, name servers and domain go before those of all', () => {
  const own = 'router: 10.2.0.9, dns: [], domain: own.example'
  const site = makeDhcpSite(
    netboot(`{mode: full, router: 10.1.0.9, dns: [10.1.0.8], domain: all.example, pools: [
      {subnet: 10.1.0.0/24, range: 10.1.0.5-10.1.0.9}, {subnet: 10.2.0.0/16, range: 10.2.1.0-10.2.1.9, ${own}}],
      reservations: [{mac: 5254.0012.3456, address: 10.1.0.77}]}`),
    'full',
    machine,
    { httpPort: 1 },
  )
  assert.deepEqual(
    site.pools.map(({ router, dns, domain }) => [formatIpv4(router), dns.map(formatIpv4).join(), domain]),
    [
      ['10.1.0.9', '10.1.0.8', 'all.example'],
      ['10.2.0.9', '', 'own.example'],
    ],
  )
  assert.deepEqual(
    site.reservations.map(({ mac, address }) => [mac, formatIpv4(address)]),
    [['52:54:00:12:34:56', '10.1.0.77']],
  )
})

test('a configuration that cannot work is refused with what was expected', () => {
  const good = '{subnet: 10.1.0.0/24, range: 10.1.0.5-10.1.0.9}'
  const cases: [string, RegExp][] = [
    ['{mode: full}', /netboot\.pools: expected at least one/],
    [`{pools: [${good}, ${good}]}`, /pools\.1\.subnet: expected a subnet that no other pool has/],
    ['{pools: [{subnet: 10.1.0.0/8, range: 10.0.0.1-10.2.0.0}]}', /at most 65536 addresses/],
    ['{pools: [{subnet: 10.1.0.0/24, range: 10.1.0.9-10.1.0.5}]}', /range: expected FIRST-LAST/],
    ['{pools: [{subnet: 10.1.0.0/24, range: 10.1.0.9-10.1.0.255}]}', /range: expected addresses of hosts/],
    ['{pools: [{subnet: 10.1.0.0/31, range: 10.1.0.0-10.1.0.1}]}', /subnet: expected an IPv4 subnet/],
    ['{pools: [{subnet: "fd00::/64", range: 10.1.0.0-10.1.0.1}]}', /subnet: expected an IPv4 subnet/],
    [
      `{mode: full, pools: [${good}], reservations: [{mac: "525400123456", address: 10.9.0.1}]}`,
      /subnet of a pool/,
    ],
    ['{reservations: [{mac: "52:54", address: 10.9.0.1}]}', /expected a MAC address/],
    [
      `{pools: [${good}], reservations: [{mac: 52-54-00-12-34-56, address: 10.1.0.1}, {mac: 52-54-00-12-34-57, address: 10.1.0.1}]}`,
      /reservations\.1: expected once/,
    ],
    ['{mode: on}', /expected one of auto, proxy, full, off/],
    ['{lease_s: 5}', /lease_s: expected at least 120/],
  ]
  for (const [yaml, why] of cases) assert.throws(() => netboot(yaml), why, yaml)
})

test('the right to open low ports: root, the capability, or a kernel that lets everybody', () => {
  const files = (capabilities: string, lowest: string) => (file: string) =>
    file.endsWith('status') ? `Name:\tnode\nCapEff:\t${capabilities}\n` : `${lowest}\n`
  assert.equal(mayOpenLowPorts(files('0', '1024'), 0), true)
  assert.equal(mayOpenLowPorts(files('0000000000000000', '1024'), 1000), false)
  assert.equal(mayOpenLowPorts(files('0000000000000400', '1024'), 1000), true)
  assert.equal(mayOpenLowPorts(files('0000000000000000', '0'), 1000), true)
  const unreadable = () => {
    throw new Error('no /proc')
  }
  assert.equal(mayOpenLowPorts(unreadable, 1000), true)
})

test('/proc/net/arp: only answers count', () => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.5         0x1         0x2         AA:bb:cc:00:00:01     *        eth0
10.0.0.6         0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.0.7         0x1         0x6         aa:bb:cc:00:00:02     *        eth0
`
  assert.deepEqual(
    [...parseArpTable(table)],
    [
      ['10.0.0.5', 'aa:bb:cc:00:00:01'],
      ['10.0.0.7', 'aa:bb:cc:00:00:02'],
    ],
  )
  assert.equal(parseArpTable('').size, 0)
})
