import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import type { HostInterface } from '../../../host/interfaces.js'
import { magicPacket } from '../../../server/power/magic-packet.js'
import { sendMagicPackets, wakeNetworks } from '../../../server/power/wake-on-lan.js'
import { parseConfig } from '../../support/config.js'

test('six bytes of ones, then the address 16 times', () => {
  const packet = magicPacket('52:54:00:0a:0b:0c')
  assert.equal(packet.length, 102)
  assert.equal(packet.toString('hex'), `ffffffffffff${'5254000a0b0c'.repeat(16)}`)
})

const card = (name: string, cidr: string, isLan = true): HostInterface => ({
  ...{ name, isLan, what: 'a card' },
  addresses: [
    {
      ...{ address: cidr.split('/')[0] ?? '', netmask: '', family: 'IPv4', mac: '', internal: name === 'lo' },
      cidr,
    },
  ],
})

test('the networks that lead to nodes, or the one that the node was on', () => {
  const own = [
    card('lo', '127.0.0.1/8'),
    card('eth0', '10.1.0.1/24'),
    card('eth1', '10.2.3.4/16'),
    card('docker0', '172.17.0.1/16', false),
    card('ptp', '10.9.0.1/32'),
  ]
  const { netboot } = parseConfig({ name: 'f', text: '' })
  const broadcasts = (address: string, config = netboot) =>
    wakeNetworks(own, config, address).map(({ broadcast }) => broadcast)
  assert.deepEqual(broadcasts(''), ['10.1.0.255', '10.2.255.255'])
  assert.deepEqual(broadcasts('fd00::1'), ['10.1.0.255', '10.2.255.255'])
  assert.deepEqual(broadcasts('10.2.200.1'), ['10.2.255.255'])
  assert.deepEqual(broadcasts('10.3.0.1'), [])
  assert.deepEqual(broadcasts('', { ...netboot, interfaces: ['docker0'] }), ['172.17.255.255'])
})

test('every card’s packet is broadcast three times; a network that cannot be had keeps nothing from the others', async (t) => {
  const receiver = createSocket('udp4')
  t.after(() => receiver.close())
  receiver.bind(0, '127.255.255.255')
  await once(receiver, 'listening')
  const got: string[] = []
  const all = new Promise<void>((resolve) =>
    receiver.on('message', (packet) => {
      got.push(packet.toString('hex'))
      if (got.length === 6) resolve()
    }),
  )
  const [one, two] = ['52:54:00:00:00:01', '52:54:00:00:00:02']
  const loopback = { address: '127.0.0.1', broadcast: '127.255.255.255' }
  const gone = { address: '192.0.2.1', broadcast: '192.0.2.255' }
  const { port } = receiver.address()
  await sendMagicPackets([one, two], [gone, loopback], port)
  await all
  const packets = [one, two].map((mac) => magicPacket(mac).toString('hex'))
  assert.deepEqual(got, [...packets, ...packets, ...packets])
  await assert.rejects(sendMagicPackets([one], [gone], port), /EADDRNOTAVAIL/)
})
