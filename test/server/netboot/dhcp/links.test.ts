/** Whose addresses a message is about: that of the wire where it came in, or of the link that a relay names. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { optionCodes } from '../../../../server/netboot/dhcp/message.js'
import { ipv4Subnet } from '../../../../src/ipv4.js'
import { asking, Bench, ip, lan, pool, pxe, type Said, say, site, typeOf } from './support.js'

const everybody = { address: 0xffffffff, port: 68 }
const a = '52:54:00:00:00:0a'
const b = '52:54:00:00:00:0b'
const other = { name: 'lan1', address: ip('10.88.0.1'), subnet: ipv4Subnet(ip('10.88.0.0'), 24) }
const there = { ...pool, subnet: other.subnet, first: ip('10.88.0.10'), last: ip('10.88.0.19') }
const far = {
  ...pool,
  subnet: ipv4Subnet(ip('10.99.5.0'), 24),
  first: ip('10.99.5.10'),
  last: ip('10.99.5.19'),
}
const onOther = { interface: other.name }
const twoCards = () => new Bench(site({ interfaces: [lan, other], pools: [pool, there] }))

test('40 machines of one wire leave the pool of 10 of the other alone', () => {
  const bench = twoCards()
  for (let i = 0; i < 40; i++) {
    const mac = `52:54:00:00:01:${i.toString(16).padStart(2, '0')}`
    for (const { via } of bench.hear(say('discover', { mac }))) assert.equal(via, lan.address)
  }
  // Of 21 addresses.
  assert.equal(bench.machine.stats(bench.nowMs).recalled, 19)
  for (let i = 0; i < 10; i++) {
    const [offer, ...rest] = bench.hear(say('discover', { mac: `52:54:00:00:02:0${i}` }), onOther)
    assert.ok(offer)
    assert.deepEqual(
      [offer.via, offer.packet.siaddr, offer.to, rest.length],
      [other.address, 0, everybody, 0],
    )
    assert.ok(offer.packet.yiaddr >= there.first && offer.packet.yiaddr <= there.last)
  }
})

test('a machine that moves from one wire to the other: a NAK there, then an address of there', () => {
  const bench = twoCards()
  const [offer] = bench.hear(say('discover', { mac: a }))
  assert.ok(offer)
  const { wanted } = asking(offer)
  bench.hear(say('request', { mac: a, ...asking(offer) }))
  const [nak, ...none] = bench.hear(say('request', { mac: a, wanted }), onOther)
  assert.ok(nak)
  assert.deepEqual([typeOf(nak), nak.via, none.length], ['nak', other.address, 0])
  const [next] = bench.hear(say('discover', { mac: a, wanted }), onOther)
  assert.ok(next)
  assert.equal(next.via, other.address)
  const [ack] = bench.hear(say('request', { mac: a, ...asking(next) }), onOther)
  assert.ok(ack && typeOf(ack) === 'ack' && ack.packet.yiaddr >= there.first)
  // And back: the first lease has not run out.
  assert.deepEqual(bench.hear(say('request', { mac: a, wanted })).map(typeOf), ['ack'])
})

test('the offer of another of our addresses is none of a rival, and is given back', () => {
  const bench = twoCards()
  const [offer] = bench.hear(say('discover', { mac: a }))
  assert.ok(offer)
  assert.deepEqual(bench.hear(say('request', { mac: a, wanted: '10.88.0.10', server: '10.88.0.1' })), [])
  assert.equal(bench.told('dhcp.rival'), 0)
  assert.equal(bench.machine.stats(bench.nowMs).leases, 0)
  assert.equal(bench.machine.stats(bench.nowMs).ignored_other_server, 1)
})

test('two subnets on one wire: an offer binds one address, of the pool that the machine knows', () => {
  const beside = { ...other, name: lan.name }
  const bench = new Bench(site({ interfaces: [lan, beside], pools: [{ ...pool, last: pool.first }, there] }))
  assert.equal(bench.lease({ mac: a }), pool.first)
  // The first pool is full.
  const second = bench.lease({ mac: b })
  assert.ok(second >= there.first && second <= there.last)
  assert.equal(bench.machine.stats(bench.nowMs).leases, 2)
  bench.nowMs += 599_000
  assert.equal(bench.lease({ mac: b }), second)
  bench.nowMs += 3_600_000
  // Both are free by now.
  assert.equal(bench.lease({ mac: b }), second)
  assert.equal(bench.machine.stats(bench.nowMs).leases, 1)
})

test('an interface without a pool gets no answer, in the log once for each machine', () => {
  const bench = new Bench(site({ interfaces: [lan, other] }))
  for (const said of [
    say('discover', { mac: a }),
    say('discover', { mac: a }),
    say('request', { mac: a, wanted: '10.88.0.5' }),
  ]) {
    assert.deepEqual(bench.hear(said, onOther), [])
  }
  assert.equal(bench.machine.stats(0).ignored_no_pool, 3)
  assert.equal(bench.told('dhcp.ignored'), 2)
})

/** Option 82 of sub-options. */
function relayInfo(...subOptions: readonly [number, string | readonly number[]][]): [number, Buffer] {
  const parts = subOptions.map(([code, value]) => {
    const bytes = typeof value === 'string' ? Buffer.from(value.split('.').map(Number)) : Buffer.from(value)
    return Buffer.concat([Buffer.from([code, bytes.length]), bytes])
  })
  return [optionCodes.relayInfo, Buffer.concat(parts)]
}

const relay = '10.77.0.254'
const throughRelay = { local: lan.address, from: { address: ip(relay), port: 67 } }
const relayed = () => new Bench(site({ pools: [pool, far] }))

test('link selection (RFC 3527) tells the pool, the relay’s address where the answer goes', () => {
  const bench = relayed()
  const info = relayInfo([1, [0x61]], [5, '10.99.5.0'])
  const said: Said = { mac: a, giaddr: relay, options: [...pxe, info] }
  const [offer] = bench.hear(say('discover', said), throughRelay)
  assert.ok(offer)
  assert.ok(offer.packet.yiaddr >= far.first && offer.packet.yiaddr <= far.last)
  assert.deepEqual(offer.to, { address: ip(relay), port: 67 })
  assert.deepEqual(offer.packet.options.get(1), Buffer.from([255, 255, 255, 0]))
  assert.deepEqual([...offer.packet.options].at(-1), info)
  const [ack] = bench.hear(say('request', { ...said, ...asking(offer) }), throughRelay)
  assert.ok(ack && typeOf(ack) === 'ack')
  assert.equal(ack.packet.yiaddr, offer.packet.yiaddr)
})

test('link selection comes before subnet selection (RFC 3011), that before the relay’s address', () => {
  const subnet = (text: string): [number, Buffer] => [
    optionCodes.subnetSelection,
    Buffer.from(text.split('.').map(Number)),
  ]
  const given = (mac: string, ...options: [number, Buffer][]) => {
    const [offer] = relayed().hear(say('discover', { mac, giaddr: relay, options }), throughRelay)
    return offer
  }
  const isFar = (address = 0) => address >= far.first && address <= far.last
  assert.ok(isFar(given(a, subnet('10.77.0.0'), relayInfo([5, '10.99.5.1']))?.packet.yiaddr))
  const selected = given(a, subnet('10.99.5.0'))
  assert.ok(isFar(selected?.packet.yiaddr))
  assert.deepEqual(selected?.packet.options.get(118), Buffer.from([10, 99, 5, 0]))
  assert.ok(!isFar(given(a)?.packet.yiaddr))
  // Of no subnet, or of three bytes: as if it were not there.
  assert.ok(!isFar(given(a, relayInfo([5, '0.0.0.0']))?.packet.yiaddr))
  assert.ok(!isFar(given(a, relayInfo([5, '10.99.5']))?.packet.yiaddr))
  // A client alone does not choose whose addresses it gets.
  const [direct] = relayed().hear(
    say('discover', { mac: a, options: [subnet('10.99.5.0'), relayInfo([5, '10.99.5.0'])] }),
  )
  assert.ok(!isFar(direct?.packet.yiaddr))
})

test('a relay that wants to be the clients’ server is (RFC 5107): option 54, REQUEST, renewal', () => {
  const bench = relayed()
  const said: Said = {
    mac: a,
    giaddr: relay,
    options: [...pxe, relayInfo([5, '10.99.5.0'], [11, '10.99.5.1'])],
  }
  const [offer] = bench.hear(say('discover', said), throughRelay)
  assert.ok(offer)
  assert.equal(asking(offer).server, '10.99.5.1')
  // Files still come from here.
  assert.deepEqual([offer.packet.siaddr, offer.via], [lan.address, lan.address])
  const [ack] = bench.hear(say('request', { ...said, ...asking(offer) }), throughRelay)
  assert.ok(ack && typeOf(ack) === 'ack')
  assert.equal(asking(ack).server, '10.99.5.1')
  assert.equal(bench.told('dhcp.rival'), 0)
  const ciaddr = asking(ack).wanted
  const [renewed] = bench.hear(say('request', { ...said, ciaddr }), throughRelay)
  assert.ok(renewed && typeOf(renewed) === 'ack')
  // Without the relay's word it is a stranger.
  bench.hear(say('request', { mac: b, wanted: '10.99.5.12', server: '10.99.5.1' }))
  assert.equal(bench.told('dhcp.rival'), 1)
})

test('a relay whose link has no pool is counted, and told of once with what it asked by', () => {
  const bench = relayed()
  for (const mac of [a, b]) {
    const said: Said = { mac, giaddr: relay, options: [relayInfo([5, '10.98.0.0'])] }
    assert.deepEqual(bench.hear(say('discover', said), throughRelay), [])
    assert.deepEqual(bench.hear(say('request', { ...said, wanted: '10.98.0.5' }), throughRelay), [])
  }
  assert.equal(bench.machine.stats(0).ignored_no_pool, 4)
  const told = bench.effects.filter((effect) => effect.kind === 'tell' && effect.event === 'dhcp.no-pool')
  assert.equal(told.length, 1)
  assert.ok(told[0]?.kind === 'tell')
  assert.deepEqual(told[0].facts, {
    code: 'DHCP_NO_POOL',
    relay,
    link: '10.98.0.0',
    source: 'link selection',
  })
})
