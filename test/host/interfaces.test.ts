import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { describe, type HostInterface, type LinkFacts } from '../../host/interfaces.js'
import { checkout } from '../support/scratch.js'
import { Wire } from '../support/wire.js'

const ethernet: LinkFacts = {
  type: 1,
  devtype: '',
  hasDevice: false,
  isBridge: false,
  isTun: false,
  isLinked: false,
  lower: [],
}

/** What /sys/class/net shows on a host with a card: Linux 6.1, with the drivers of each. */
const host: Record<string, Partial<LinkFacts>> = {
  lo: { type: 772 },
  eth0: { hasDevice: true },
  wlan0: { hasDevice: true, devtype: 'wlan' },
  ib0: { hasDevice: true, type: 32 },
  wwan0: { hasDevice: true, devtype: 'wwan' },
  bond0: { devtype: 'bond', lower: ['eth0'] },
  bond1: { devtype: 'bond' },
  'bond0.5': { devtype: 'vlan', isLinked: true, lower: ['bond0'] },
  'br-lan': { devtype: 'bridge', isBridge: true, lower: ['bond0.5', 'veth1'] },
  docker0: { devtype: 'bridge', isBridge: true, lower: ['veth1'] },
  virbr0: { devtype: 'bridge', isBridge: true, lower: ['vnet0'] },
  'br-8f2c': { devtype: 'bridge', isBridge: true, lower: ['flannel.1'] },
  vnet0: { isTun: true },
  veth1: { isLinked: true },
  tailscale0: { type: 65_534, isTun: true },
  wg0: { type: 65_534, devtype: 'wireguard' },
  'flannel.1': { devtype: 'vxlan', lower: ['eth0'] },
  sit0: { type: 776, isLinked: true },
  dummy0: {},
  loop0: { lower: ['loop0'] },
}
const look =
  (links: Record<string, Partial<LinkFacts>>) =>
  (name: string): LinkFacts | undefined =>
    links[name] === undefined ? undefined : { ...ethernet, ...links[name] }

test('a network is one of nodes where a card leads to it, whatever its name', () => {
  const found = Object.keys(host).map((name) => ({ name, ...describe(name, look(host), true) }))
  assert.deepEqual(
    found.filter(({ isLan }) => isLan).map(({ name, what }) => `${name}: ${what}`),
    [
      'eth0: a network card',
      'wlan0: a network card',
      'ib0: a network card',
      'bond0: a bond on a network card',
      'bond0.5: a vlan on a network card',
      'br-lan: a bridge on a network card',
    ],
  )
  const others = Object.fromEntries(found.filter(({ isLan }) => !isLan).map(({ name, what }) => [name, what]))
  assert.deepEqual(others, {
    lo: 'the loopback interface',
    wwan0: 'a mobile modem',
    bond1: 'a bond without a network card',
    docker0: 'a bridge without a network card',
    virbr0: 'a bridge without a network card',
    'br-8f2c': 'a bridge without a network card',
    vnet0: 'a tunnel or the network of a virtual machine (tun, tap)',
    veth1: 'one end of a virtual cable (veth)',
    tailscale0: 'a tunnel or the network of a virtual machine (tun, tap)',
    wg0: 'a tunnel (wireguard)',
    'flannel.1': 'a tunnel (vxlan)',
    sit0: 'a tunnel',
    dummy0: 'a virtual interface without a network card',
    loop0: 'a virtual interface without a network card',
  })
})

test('in a container the end of a virtual cable is its network card', () => {
  const container = { lo: { type: 772 }, eth0: { isLinked: true } }
  assert.deepEqual(describe('eth0', look(container), false), {
    isLan: true,
    what: 'the network card of a container',
  })
})

test('a real kernel: bridges, veth, tun and tap in a namespace without a card', (t) => {
  const wire = Wire.make(t)
  if (wire === undefined) return t.skip('NOT TESTED: needs root')
  const commands = [
    'link add name br-lan type bridge',
    'link add name docker0 type bridge',
    'link add name va type veth peer name vb',
    'link set vb master docker0',
    'tuntap add name tailscale0 mode tun',
    'tuntap add name tap0 mode tap',
  ]
  for (const command of commands) wire.server('ip', ...command.split(' '))
  const names = ['lo', 'lan0', 'br-lan', 'docker0', 'va', 'tailscale0', 'tap0']
  const script = `import { readKinds } from '${join(checkout, 'dist/host/interfaces.js')}'
    const kindOf = readKinds()
    console.log(JSON.stringify(${JSON.stringify(names)}.map((name) => ({ name, ...kindOf(name) }))))`
  // With a /sys of the namespace’s own, as a container has it.
  const [, ns = ''] = /--net=\/run\/netns\/(\S+)/.exec(wire.command('server').join(' ')) ?? []
  const args = ['netns', 'exec', ns, process.execPath, '--input-type=module', '-e', script]
  const found = JSON.parse(execFileSync('ip', args, { encoding: 'utf8' })) as HostInterface[]
  const seen = Object.fromEntries(found.map(({ name, isLan, what }) => [name, `${isLan} ${what}`]))
  assert.deepEqual(seen, {
    lo: 'false the loopback interface',
    lan0: 'false a bridge without a network card',
    'br-lan': 'false a bridge without a network card',
    docker0: 'false a bridge without a network card',
    va: 'true the network card of a container',
    tailscale0: 'false a tunnel or the network of a virtual machine (tun, tap)',
    tap0: 'false a tunnel or the network of a virtual machine (tun, tap)',
  })
})
