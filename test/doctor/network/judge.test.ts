import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LinkFacts, NetworkFacts } from '../../../doctor/network/facts.js'
import { parseRoutes } from '../../../doctor/network/gather.js'
import { judgeNetwork } from '../../../doctor/network/judge.js'
import { card, virtual } from '../../support/interfaces.js'
import { makeSite } from '../support-site.js'

const link: LinkFacts = {
  name: 'lan0',
  exists: true,
  isBridge: false,
  ports: [],
  hasCarrier: true,
  mtu: 1500,
  speedMbit: 1000,
  duplex: 'full',
  errors: 0,
  packets: 1_000_000,
  stp: undefined,
  heldPorts: [],
}
const facts = (more: Partial<LinkFacts> = {}): NetworkFacts => ({
  links: [{ ...link, ...more }],
  bpdus: [],
  duplicates: [],
  routes: [],
  rpFilter: {},
})
const codes = (found: readonly { readonly code: string }[]) => found.map(({ code }) => code)

test('a gigabit link without errors is fine; a slow one, half duplex and errors are not', () => {
  assert.deepEqual(judgeNetwork(facts(), makeSite()), [])
  assert.deepEqual(codes(judgeNetwork(facts({ speedMbit: 100, duplex: 'half', errors: 5000 }), makeSite())), [
    'LINK_SLOW',
    'LINK_HALF_DUPLEX',
    'LINK_ERRORS',
  ])
  assert.deepEqual(judgeNetwork(facts({ errors: 100, packets: 100_000_000 }), makeSite()), [])
})

test('the address that nodes are told', () => {
  const site = makeSite()
  const told = (address: string, more: Partial<typeof site.config> = {}) =>
    codes(judgeNetwork(facts(), { ...site, config: { ...site.config, address, ...more } }))
  assert.deepEqual(told('127.0.0.1'), ['ADDRESS_LOOPBACK'])
  assert.deepEqual(told('10.9.9.9'), ['ADDRESS_NOT_HERE'])
  assert.deepEqual(told('10.77.0.1', { bind: '10.77.0.1' }), [])
  assert.deepEqual(told('10.77.0.1', { bind: '127.0.0.1' }), ['BIND_ELSEWHERE'])
  const more = {
    interfaces: [
      ...site.interfaces,
      virtual('docker0', 'a bridge without a network card', '172.17.0.1'),
      card('wan0', '192.0.2.7'),
      card('v6', 'fd00::1'),
    ],
  }
  const elsewhere = (address: string) =>
    codes(judgeNetwork(facts(), { ...site, ...more, config: { ...site.config, address } }))
  assert.deepEqual(elsewhere('172.17.0.1'), ['ADDRESS_OF_BRIDGE'])
  assert.deepEqual(elsewhere('192.0.2.7'), ['ADDRESS_OTHER_LAN'])
  // An IPv6 address and sockets for IPv4 alone.
  assert.deepEqual(elsewhere('fd00::1'), ['BIND_ELSEWHERE'])
})

test('a pool behind a relay needs a route, and one that rp_filter accepts', () => {
  const yaml =
    'netboot: {mode: full, pools: [{subnet: 10.77.0.0/24, range: 10.77.0.5-10.77.0.9}, {subnet: 10.78.0.0/24, range: 10.78.0.5-10.78.0.9}]}'
  const site = makeSite(yaml, { mode: 'full' })
  assert.deepEqual(codes(judgeNetwork(facts(), site)), ['ROUTE_MISSING'])
  const table = (iface: string) =>
    parseRoutes(
      `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nlan0\t00004D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n${iface}\t00000000\tFE004D0A\t0003\t0\t0\t0\t00000000\n`,
    )
  assert.deepEqual(judgeNetwork({ ...facts(), routes: table('lan0') }, site), [])
  const strict = { ...facts(), routes: table('wan0'), rpFilter: { lan0: 1 } }
  assert.deepEqual(codes(judgeNetwork(strict, site)), ['ROUTE_BACK_FILTERED'])
  assert.deepEqual(judgeNetwork({ ...strict, rpFilter: { lan0: 2 } }, site), [])
})

test('a bridge of containers with addresses of the LAN is named with what to change', () => {
  const site = makeSite()
  const docker = (cidr: string) => ({
    ...site,
    interfaces: [...site.interfaces, virtual('docker0', 'a bridge without a network card', cidr)],
  })
  const found = judgeNetwork(facts(), docker('10.77.1.1/16'))
  assert.deepEqual(codes(found), ['SUBNET_TWICE'])
  assert.match(found[0]?.remedy ?? '', /default-address-pools/)
  assert.deepEqual(judgeNetwork(facts(), docker('172.17.0.1/16')), [])
})
