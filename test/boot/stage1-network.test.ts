/** What stage 1 makes of a network, with its own udhcpc and dnsmasq on a real wire, without a machine. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { machineHangMs } from '../support/limits.js'
import { end } from '../support/processes.js'
import { type Card, Stage1Network } from '../support/stage1-network.js'

const limit = { timeout: machineHangMs }
const notTested = 'NOT TESTED: needs root'
const mac = '52:54:00:00:00:01'
const one: readonly Card[] = [{ mac, bridge: 'lan0' }]
const two: readonly Card[] = [
  { mac, bridge: 'lan0' },
  { mac: '52:54:00:00:00:02', bridge: 'lan1' },
]

// Nearly all of it is waiting.
describe('the network of a node', { ...limit, concurrency: 4 }, () => {
  test(
    'MTU and classless routes are asked for and set, and router and classful routes do not count then',
    limit,
    async (t) => {
      const net = await Stage1Network.make(t)
      if (net === undefined) return t.skip(notTested)
      net.wire.server('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo')
      await net.dhcp(
        'lan0',
        '10.77.0.50',
        'option:mtu,1400',
        'option:classless-static-route,198.51.100.0/24,10.77.0.7,203.0.113.0/25,0.0.0.0,0.0.0.0/0,10.77.0.1',
        'option:router,10.77.0.99',
        'option:static-route,172.16.0.0,10.77.0.98',
        'option:dns-server,10.77.0.2,10.77.0.3',
        'option:ntp-server,10.77.0.4',
        'option:domain-name,rigs.example',
        'option:domain-search,rigs.example,example',
        '12,rig-1',
      )
      const up = await net.node('bootswarm.server=https://192.0.2.1:8443', one).up()
      assert.equal(up.mtu, 1400)
      assert.match(up.addresses, /inet 10\.77\.0\.50\/24 /)
      assert.deepEqual(
        up.routes
          .split('\n')
          .map((line) => line.trim())
          .sort(),
        [
          '10.77.0.0/24 dev eth0 scope link src 10.77.0.50',
          '198.51.100.0/24 via 10.77.0.7 dev eth0',
          '203.0.113.0/25 dev eth0 scope link',
          'default via 10.77.0.1 dev eth0',
        ],
      )
      assert.equal(up.hostname, 'rig-1')
      assert.match(up.said, /bootswarm: address 10\.77\.0\.50\/24, .*MTU 1400, from 10\.77\.0\.1 \(eth0/)
      assert.doesNotMatch(up.said, /could not/)
      const lease = up.lease.split('\n')
      for (const line of [
        "DEVICE='eth0'",
        "PROTO='dhcp'",
        "IPV4ADDR='10.77.0.50'",
        "IPV4NETMASK='255.255.255.0'",
        "HOSTNAME='rig-1'",
        "DNSDOMAIN='rigs.example'",
        "DOMAINSEARCH='rigs.example example'",
        "IPV4DNS0='10.77.0.2'",
        "IPV4DNS1='10.77.0.3'",
        "IPV4NTP0='10.77.0.4'",
        "IPV4NTP1=''",
      ]) {
        assert.ok(lease.includes(line), `${line} in ${up.lease}`)
      }
    },
  )

  test('a /32 reaches the server through a gateway outside its subnet', limit, async (t) => {
    const net = await Stage1Network.make(t)
    if (net === undefined) return t.skip(notTested)
    net.wire.server('ip', 'address', 'add', '10.88.0.1/24', 'dev', 'lan0')
    net.wire.server('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo')
    await net.dhcp('lan0', '10.77.0.50', 'option:netmask,255.255.255.255', 'option:router,10.88.0.1')
    const up = await net.node('bootswarm.server=https://192.0.2.1:8443', one).up()
    assert.match(up.addresses, /inet 10\.77\.0\.50\/32 /)
    assert.equal(up.routes, 'default via 10.88.0.1 dev eth0 onlink')
    net.wire.run('node0', 'busybox', 'ping', '-q', '-c', '3', '192.0.2.1')
  })

  test(
    'an address by hand has such a gateway too, and classful routes have their class or one host',
    limit,
    async (t) => {
      const net = await Stage1Network.make(t)
      if (net === undefined) return t.skip(notTested)
      const words = 'ip=10.77.0.60::10.88.0.1:255.255.255.255 bootswarm.server=https://192.0.2.1:8443'
      const byHand = await net.node(words, one).up()
      assert.match(byHand.addresses, /inet 10\.77\.0\.60\/32 /)
      assert.equal(byHand.routes, 'default via 10.88.0.1 dev eth0 onlink')
      net.wire.run('node0', 'ip', 'link', 'del', 'eth0')

      await net.dhcp(
        'lan0',
        '10.77.0.50',
        'option:router,10.77.0.1',
        'option:static-route,172.16.0.0,10.77.0.8,192.168.5.0,10.77.0.9,192.168.6.7,10.77.0.9',
      )
      const up = await net.node('bootswarm.server=https://192.0.2.1:8443', one).up()
      assert.deepEqual(
        up.routes
          .split('\n')
          .map((line) => line.trim())
          .sort(),
        [
          '10.77.0.0/24 dev eth0 scope link src 10.77.0.50',
          '172.16.0.0/16 via 10.77.0.8 dev eth0',
          '192.168.5.0/24 via 10.77.0.9 dev eth0',
          '192.168.6.7 via 10.77.0.9 dev eth0',
          'default via 10.77.0.1 dev eth0',
        ],
      )
    },
  )

  test('what cannot be set is said, and the rest is set', limit, async (t) => {
    const net = await Stage1Network.make(t)
    if (net === undefined) return t.skip(notTested)
    await net.dhcp('lan0', '10.77.0.50', 'option:mtu,100', 'option:router,255.255.255.255,10.77.0.1')
    const up = await net.node('bootswarm.server=https://192.0.2.1:8443', one).up()
    assert.equal(up.mtu, 1500)
    assert.match(up.routes, /^default via 10\.77\.0\.1 dev eth0 *$/m)
    assert.match(up.said, /DHCP: could not set an MTU of 100/)
    assert.match(up.said, /DHCP: could not set route to 0\.0\.0\.0\/0 via 255\.255\.255\.255: \S+/)
  })

  test(
    'without a route to the server stage 1 says so and asks again until there is one',
    limit,
    async (t) => {
      const net = await Stage1Network.make(t)
      if (net === undefined) return t.skip(notTested)
      const wrong = await net.dhcp('lan0', '10.77.0.50', 'option:router')
      const node = net.node('bootswarm.server=https://192.0.2.1:8443', one)
      await node.says(/no route to the server 192\.0\.2\.1 from 10\.77\.0\.50\/24.* at eth0 for \d+ s/)
      await end(wrong, 'SIGKILL')
      await node.says(/no answer from a DHCP server at eth0 for \d+ s; a switch port/)
      await net.dhcp('lan0', '10.77.0.50', 'option:router,10.77.0.1')
      assert.match((await node.up()).routes, /^default via 10\.77\.0\.1/m)
    },
  )

  test('the card that answers is taken where another one has a link and no DHCP server', limit, async (t) => {
    const net = await Stage1Network.make(t)
    if (net === undefined) return t.skip(notTested)
    net.bridge('lan1', '10.78.0.1/24')
    await net.dhcp('lan1', '10.78.0.50', 'option:router,10.78.0.1')
    const up = await net.node('bootswarm.server=https://10.78.0.1:8443', two).up()
    assert.equal(up.card, 'eth1')
    assert.match(up.addresses, /inet 10\.78\.0\.50\/24 /)
    // The other one is off.
    assert.match(up.links, /^eth0 0x1002$/m)
  })

  test('the card that reaches the server is taken where both have an address', limit, async (t) => {
    const net = await Stage1Network.make(t)
    if (net === undefined) return t.skip(notTested)
    net.bridge('lan1', '10.78.0.1/24')
    // The first network's router is there and knows no way.
    net.wire.server('iptables', '-I', 'INPUT', '-i', 'lan0', '-d', '10.78.0.1', '-j', 'DROP')
    await net.dhcp('lan0', '10.77.0.50', 'option:router,10.77.0.1')
    await net.dhcp('lan1', '10.78.0.50', 'option:router,10.78.0.1')
    const up = await net.node('bootswarm.server=https://10.78.0.1:8443', two).up()
    assert.equal(up.card, 'eth1')
    assert.equal(up.addresses.split('\n').length, 1)
    assert.doesNotMatch(up.routes, /eth0/)
  })

  test(
    'a link and a DHCP server that come late are waited for, at the card that the machine was loaded through',
    limit,
    async (t) => {
      const net = await Stage1Network.make(t)
      if (net === undefined) return t.skip(notTested)
      net.bridge('lan1', '10.78.0.1/24')
      await net.dhcp('lan1', '10.78.0.50', 'option:router,10.78.0.1')
      const words = `bootswarm.server=https://10.77.0.1:8443 BOOTIF=01-${mac.replaceAll(':', '-')}`
      const node = net.node(words, two, () => net.wire.server('ip', 'link', 'set', 'cable0', 'down'))
      await node.says(new RegExp(`waiting for a link at the card with address ${mac}, \\d+ s`))
      net.wire.server('ip', 'link', 'set', 'cable0', 'up')
      await node.says(/no answer from a DHCP server at eth0/)
      await net.dhcp('lan0', '10.77.0.50')
      const up = await node.up()
      assert.equal(up.card, 'eth0')
      assert.match(up.addresses, /inet 10\.77\.0\.50\/24 /)
    },
  )

  test(
    'another card is taken after a minute, and the first one again when its link comes',
    limit,
    async (t) => {
      const net = await Stage1Network.make(t)
      if (net === undefined) return t.skip(notTested)
      net.bridge('lan1', '10.78.0.1/24')
      const words = `bootswarm.server=https://10.77.0.1:8443 BOOTIF=01-${mac.replaceAll(':', '-')}`
      const node = net.node(words, two, () => net.wire.server('ip', 'link', 'set', 'cable0', 'down'))
      // eth1 has a link and nobody who answers.
      await node.says(/no answer from a DHCP server at eth1/)
      net.wire.server('ip', 'link', 'set', 'cable0', 'up')
      await net.dhcp('lan0', '10.77.0.50')
      assert.equal((await node.up()).card, 'eth0')
    },
  )
})
