import assert from 'node:assert/strict'
import { test } from 'node:test'
import { optionCodes } from '../../../../server/netboot/dhcp/message.js'
import type { Lease } from '../../../../src/dhcp-lease.js'
import { ipv4Subnet } from '../../../../src/ipv4.js'
import { asking, Bench, ip, lan, pool, pxe, say, site, typeOf } from './support.js'

const everybody = { address: 0xffffffff, port: 68 }
const a = '52:54:00:00:00:0a'
const b = '52:54:00:00:00:0b'

test('an address is offered once it is known to be free, then given with its times', () => {
  const bench = new Bench(site({ pools: [{ ...pool, router: ip('10.77.0.9'), dns: [1, 2], domain: 'x.y' }] }))
  const [offer] = bench.hear(say('discover'))
  assert.ok(offer)
  assert.equal(typeOf(offer), 'offer')
  assert.deepEqual([offer.via, offer.to], [lan.address, everybody])
  assert.equal(bench.effects[0]?.kind, 'probe')
  const [ack] = bench.hear(say('request', asking(offer)))
  assert.ok(ack)
  const number = (code: number) => ack.packet.options.get(code)?.readUInt32BE()
  assert.deepEqual(
    [number(51), number(58), number(59), number(1), number(3), number(28)],
    [600, 300, 525, 0xffffff00, ip('10.77.0.9'), ip('10.77.0.255')],
  )
  assert.equal(ack.packet.options.get(6)?.length, 8)
  assert.equal(ack.packet.options.get(15)?.toString(), 'x.y')
  assert.equal(ack.packet.siaddr, 0)
  assert.deepEqual(
    bench.effects.filter(({ kind }) => kind === 'lease'),
    [
      {
        kind: 'lease',
        lease: { mac: '52:54:00:00:00:01', address: ack.packet.yiaddr, expiresMs: 1_600_000 },
      },
    ],
  )
})

test('firmware, iPXE and Linux of one machine have one lease, whatever option 61 says', () => {
  const bench = new Bench()
  const addresses = [
    bench.lease({ mac: a, options: pxe }),
    bench.lease({ mac: a, options: [...pxe, [77, Buffer.from('iPXE')], [61, Buffer.from([255, 1, 2])]] }),
    bench.lease({ mac: a, options: [[61, Buffer.from([1, 9])]] }),
  ]
  assert.equal(new Set(addresses).size, 1)
  assert.equal(bench.machine.stats(bench.nowMs).leases, 1)
})

test('the boot file stands in its field and in option 67; iPXE need not wait for a proxy', () => {
  const bench = new Bench()
  const [uefi] = bench.hear(say('discover', { options: pxe }))
  assert.equal(uefi?.packet.file, 'x64/snponly.efi')
  assert.equal(uefi?.packet.options.get(67)?.toString(), 'x64/snponly.efi\0')
  assert.equal(uefi?.packet.options.get(66)?.toString(), '10.77.0.1\0')
  assert.equal(uefi?.packet.options.get(60)?.toString(), 'PXEClient')
  assert.equal(uefi?.packet.siaddr, lan.address)
  assert.equal(uefi?.packet.options.has(43), false)
  const [ipxe] = bench.hear(say('discover', { options: [...pxe, [77, Buffer.from('iPXE')]] }))
  assert.equal(ipxe?.packet.file, 'http://10.77.0.1:8480/v1/ipxe/script/52-54-00-00-00-01')
  assert.deepEqual(ipxe?.packet.options.get(175), Buffer.from([176, 1, 1]))
  const [odd] = bench.hear(say('discover', { options: [...pxe.slice(0, 1), [93, Buffer.from([0, 99])]] }))
  assert.equal(odd?.packet.file, '')
  assert.equal(bench.told('dhcp.refused'), 1)
})

test('an address that answers ARP is left out, unless the machine itself answers', () => {
  const bench = new Bench()
  const [offer] = bench.hear(say('discover', { mac: a }))
  const taken = offer?.packet.yiaddr ?? 0
  const second = new Bench()
  second.users.set(taken, 'aa:aa:aa:aa:aa:aa')
  assert.notEqual(second.lease({ mac: a }), taken)
  assert.equal(second.machine.stats(0).conflicts, 1)
  assert.equal(second.told('dhcp.conflict'), 1)
  const third = new Bench()
  third.users.set(taken, a)
  assert.equal(third.lease({ mac: a }), taken)
})

test('INIT-REBOOT: right, taken by another, of another network, unknown but free', () => {
  const bench = new Bench()
  const own = asking({ packet: bench.hear(say('discover', { mac: a }))[0]?.packet } as never)
  bench.hear(say('request', { mac: a, ...own }))
  const reboot = (mac: string, wanted: string) => bench.hear(say('request', { mac, wanted })).map(typeOf)
  assert.deepEqual(reboot(a, own.wanted), ['ack'])
  assert.deepEqual(reboot(b, own.wanted), ['nak'])
  assert.deepEqual(reboot(b, '192.168.1.5'), ['nak'])
  assert.deepEqual(reboot(b, '10.77.0.90'), ['nak'])
  const free = own.wanted === '10.77.0.110' ? '10.77.0.111' : '10.77.0.110'
  assert.deepEqual(reboot(b, free), ['ack'])
})

test('a REQUEST that names no address means the one that was offered', () => {
  const bench = new Bench()
  assert.deepEqual(bench.hear(say('request', { mac: a })), [])
  const [offer] = bench.hear(say('discover', { mac: a }))
  const [ack] = bench.hear(say('request', { mac: a }))
  assert.equal(ack?.packet.yiaddr, offer?.packet.yiaddr)
  assert.deepEqual(bench.hear(say('request', { mac: b })), [])
})

test('a NAK is broadcast and says why; through a relay the relay is to broadcast it', () => {
  const bench = new Bench()
  bench.lease({ mac: a })
  const [nak] = bench.hear(say('request', { mac: b, wanted: '192.168.1.5' }))
  assert.deepEqual(nak?.to, everybody)
  assert.match(nak?.packet.options.get(56)?.toString() ?? '', /another network/)
  assert.equal(nak?.packet.yiaddr, 0)
  const relayed = say('request', { mac: b, wanted: '192.168.1.5', giaddr: '10.77.0.254' })
  const [through] = bench.hear(relayed, { local: lan.address })
  assert.deepEqual(through?.to, { address: ip('10.77.0.254'), port: 67 })
  assert.equal(through?.packet.isBroadcast, true)
})

test('renewal: unicast to the client, or by broadcast if it asks for that', () => {
  const bench = new Bench()
  const address = bench.lease({ mac: a })
  const ciaddr = `10.77.0.${address & 255}`
  bench.nowMs += 300_000
  const [renewed] = bench.hear(say('request', { mac: a, ciaddr }), { local: lan.address })
  assert.deepEqual(renewed?.to, { address, port: 68 })
  assert.equal(renewed?.packet.ciaddr, address)
  const [loud] = bench.hear(say('request', { mac: a, ciaddr, isBroadcast: true }))
  assert.deepEqual(loud?.to, everybody)
  assert.equal(bench.hear(say('request', { mac: b, ciaddr }), { local: lan.address }).map(typeOf)[0], 'nak')
  assert.deepEqual(bench.hear(say('request', { mac: b, ciaddr: '10.9.9.9' }), { local: lan.address }), [])
})

test('an offer that another server’s is preferred to is given back; the rival is told of once', () => {
  const bench = new Bench(site({ pools: [{ ...pool, last: pool.first }] }))
  const [offer] = bench.hear(say('discover', { mac: a }))
  assert.ok(offer)
  for (const mac of [a, a]) {
    assert.deepEqual(bench.hear(say('request', { mac, wanted: '10.77.0.50', server: '10.77.0.66' })), [])
  }
  assert.equal(bench.told('dhcp.rival'), 1)
  assert.equal(bench.lease({ mac: b }), pool.first)
  assert.equal(bench.machine.stats(bench.nowMs).recalled, 0)
})

test('a full pool: leases that are over are given again, the oldest first, and no sooner', () => {
  const bench = new Bench(site({ pools: [{ ...pool, last: pool.first + 1 }] }))
  const first = bench.lease({ mac: a })
  bench.nowMs += 1000
  bench.users.set(bench.lease({ mac: b }), b)
  bench.users.set(first, a)
  assert.deepEqual(bench.hear(say('discover', { mac: '52:54:00:00:00:0c' })), [])
  bench.nowMs += 599_500
  bench.users.set(first, '52:54:00:00:00:0c')
  assert.equal(bench.lease({ mac: '52:54:00:00:00:0c' }), first)
  assert.deepEqual(bench.hear(say('discover', { mac: a })), [])
  assert.ok(bench.machine.stats(0).exhausted >= 2)
})

test('released addresses are free at once, and their owner’s favourite', () => {
  const bench = new Bench(site({ pools: [{ ...pool, last: pool.first }] }))
  const address = bench.lease({ mac: a })
  const ciaddr = `10.77.0.${address & 255}`
  bench.hear(say('release', { mac: b, ciaddr }), { local: lan.address })
  assert.deepEqual(bench.hear(say('discover', { mac: b })), [])
  bench.hear(say('release', { mac: a, ciaddr }), { local: lan.address })
  assert.equal(bench.machine.stats(bench.nowMs).leases, 0)
  assert.equal(bench.lease({ mac: a }), address)
})

test('only who was given an address may decline it', () => {
  const bench = new Bench()
  const address = bench.lease({ mac: a })
  const wanted = `10.77.0.${address & 255}`
  bench.hear(say('decline', { mac: b, wanted, server: '10.77.0.1' }))
  assert.equal(bench.machine.stats(bench.nowMs).conflicts, 0)
  bench.hear(say('decline', { mac: a, wanted, server: '10.77.0.1' }))
  assert.equal(bench.machine.stats(bench.nowMs).conflicts, 1)
  assert.notEqual(bench.lease({ mac: a }), address)
  assert.deepEqual(bench.hear(say('request', { mac: b, wanted })).map(typeOf), ['nak'])
})

test('INFORM gets everything but an address and its time', () => {
  const [ack] = new Bench().hear(say('inform', { ciaddr: '10.77.0.5' }), { local: lan.address })
  assert.ok(ack)
  assert.deepEqual(ack.to, { address: ip('10.77.0.5'), port: 68 })
  assert.deepEqual(
    [ack.packet.yiaddr, ack.packet.options.has(51), ack.packet.options.has(1)],
    [0, false, true],
  )
})

test('reservations: theirs alone, in the range or not, also against an older lease', () => {
  const reservations = [
    { mac: a, address: ip('10.77.0.100') },
    { mac: b, address: ip('10.77.0.7') },
  ]
  const older: Lease = { mac: '52:54:00:00:00:0c', address: ip('10.77.0.100'), expiresMs: 9e12 }
  const bench = new Bench(site({ reservations, pools: [{ ...pool, last: pool.first + 1 }] }), [older])
  assert.equal(bench.lease({ mac: a }), ip('10.77.0.100'))
  assert.equal(bench.lease({ mac: b }), ip('10.77.0.7'))
  assert.equal(bench.lease({ mac: '52:54:00:00:00:0c' }), ip('10.77.0.101'))
  assert.deepEqual(bench.hear(say('request', { mac: older.mac, wanted: '10.77.0.7' })).map(typeOf), ['nak'])
})

test('relays: the pool of giaddr, the reply to its port 67, option 82 echoed, kept and last', () => {
  const behind = {
    ...pool,
    subnet: ipv4Subnet(ip('10.88.0.0'), 24),
    first: ip('10.88.0.10'),
    last: ip('10.88.0.20'),
  }
  const bench = new Bench(site({ pools: [pool, behind] }))
  const info = Buffer.from([1, 2, 7, 8, 2, 1, 9])
  const said = { mac: a, giaddr: '10.88.0.1', options: [...pxe, [optionCodes.relayInfo, info] as const] }
  const [offer] = bench.hear(say('discover', said), { local: lan.address })
  assert.ok(offer)
  assert.deepEqual(offer.to, { address: ip('10.88.0.1'), port: 67 })
  assert.ok(offer.packet.yiaddr >= behind.first && offer.packet.yiaddr <= behind.last)
  assert.deepEqual([...offer.packet.options].at(-1), [82, info])
  const [ack] = bench.hear(say('request', { ...said, ...asking(offer) }), { local: lan.address })
  assert.equal(ack?.packet.yiaddr, offer.packet.yiaddr)
  // The renewal comes through a router, without the relay: what the relay said stays.
  const ciaddr = `10.88.0.${offer.packet.yiaddr & 255}`
  const [renewed] = bench.hear(say('request', { mac: a, ciaddr }), { local: lan.address })
  assert.deepEqual(renewed?.to, { address: offer.packet.yiaddr, port: 68 })
  const kept = bench.effects.filter((effect) => effect.kind === 'lease').map(({ lease }) => lease.relayPort)
  assert.deepEqual(kept, Array(2).fill({ circuitId: '0708', remoteId: '09' }))
  assert.deepEqual(bench.hear(say('discover', { giaddr: '10.99.0.1' }), { local: lan.address }), [])
})

test('500 machines at once have 500 addresses; leases of an earlier run stay', () => {
  const big = {
    ...pool,
    subnet: ipv4Subnet(ip('10.77.0.0'), 16),
    first: ip('10.77.1.0'),
    last: ip('10.77.4.255'),
  }
  const of = site({ interfaces: [{ ...lan, subnet: big.subnet }], pools: [big] })
  const bench = new Bench(of)
  const mac = (i: number) =>
    `52:54:00:01:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`
  const given = Array.from({ length: 500 }, (_, i) => bench.lease({ mac: mac(i), xid: i }))
  assert.equal(new Set(given).size, 500)
  const kept = bench.effects.flatMap((effect) => (effect.kind === 'lease' ? [effect.lease] : []))
  const after = new Bench(of, kept)
  assert.deepEqual(
    Array.from({ length: 500 }, (_, i) => after.lease({ mac: mac(499 - i), xid: i })),
    given.toReversed(),
  )
})
