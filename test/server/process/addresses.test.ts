import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostInterface } from '../../../host/interfaces.js'
import { Addresses } from '../../../server/process/addresses.js'
import { reachOf } from '../../../server/wiring/parts.js'
import { parseConfig } from '../../support/config.js'
import { card, loopback } from '../../support/interfaces.js'

const config = parseConfig(undefined)

function make(configured: string | undefined, first: readonly HostInterface[]) {
  let interfaces = first
  const addresses = new Addresses({ configured, netboot: config.netboot, read: () => interfaces })
  const told: string[] = []
  addresses.onChange((now, before) => told.push(`${before.address} ${now.address}`))
  return {
    addresses,
    told,
    become: (...next: readonly HostInterface[]) => {
      interfaces = next
      addresses.look()
    },
  }
}

test('address: auto follows the machine; listeners are told once for each change', () => {
  const { addresses, told, become } = make(undefined, [loopback])
  assert.deepEqual([addresses.now.address, addresses.now.isOwn], ['127.0.0.1', true])
  become(loopback, card('eth0', '10.0.0.5/24'))
  become(loopback, card('eth0', '10.0.0.5/24'))
  become(loopback, card('eth0', '10.0.0.6/24'))
  assert.deepEqual(told, ['127.0.0.1 10.0.0.5', '10.0.0.5 10.0.0.6'])
  assert.deepEqual(addresses.now.all, ['10.0.0.6', '127.0.0.1', '::1'])
})

test('a configured address that no interface has is that of a NAT, until one has it', () => {
  const { addresses, become } = make('10.0.0.5', [loopback])
  const reach = reachOf({ ...config, bind: '0.0.0.0' }, addresses)
  assert.deepEqual(
    [reach.natAddress(), reach.at('10.0.0.9'), reach.httpHost()],
    ['10.0.0.5', '10.0.0.5', '10.0.0.5'],
  )
  assert.deepEqual(addresses.now.all, ['10.0.0.5', '127.0.0.1', '::1'])
  become(loopback, card('eth0', '10.0.0.5/24', '10.1.0.5/24'))
  assert.deepEqual(
    [reach.natAddress(), reach.at('10.1.0.5'), reach.httpHost()],
    [undefined, '10.1.0.5', undefined],
  )
  const bound = reachOf({ ...config, bind: 'fd00::1' }, addresses)
  assert.equal(bound.httpHost(), '[fd00::1]')
})

test('what cannot be read stays as it was', () => {
  let isShort = false
  const addresses = new Addresses({
    configured: undefined,
    netboot: config.netboot,
    read: () => {
      if (isShort) throw new Error('EMFILE: too many open files')
      return [loopback, card('eth0', '10.0.0.5/24')]
    },
  })
  isShort = true
  assert.throws(() => addresses.look(), /EMFILE/)
  assert.equal(addresses.now.address, '10.0.0.5')
})

test('a listener that fails is told again, and the others all the same', () => {
  const { addresses, told, become } = make(undefined, [loopback])
  const heard: string[] = []
  let isShort = true
  addresses.onChange((now, before) => {
    if (isShort) throw new Error('ENOMEM: no memory')
    heard.push(`${before.address} ${now.address}`)
  })
  addresses.onChange((now) => heard.push(now.address))
  assert.throws(() => become(loopback, card('eth0', '10.0.0.5/24')), /ENOMEM/)
  assert.throws(() => addresses.look(), /ENOMEM/)
  assert.throws(() => become(loopback, card('eth0', '10.0.0.6/24')), /ENOMEM/)
  isShort = false
  addresses.look()
  assert.deepEqual(heard, ['10.0.0.5', '10.0.0.6', '127.0.0.1 10.0.0.6'])
  assert.deepEqual(told, ['127.0.0.1 10.0.0.5', '10.0.0.5 10.0.0.6'])
})
