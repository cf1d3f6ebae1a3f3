import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostInterface } from '../../../host/interfaces.js'
import { Addresses } from '../../../server/process/addresses.js'
import { reachOf } from '../../../server/wiring/parts.js'
import { parseConfig } from '../../../src/config-parse.js'
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
