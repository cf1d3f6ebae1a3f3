/** Machines that somebody invents: they take no address for long from one that is there, and little of our time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { optionCodes } from '../../../../server/netboot/dhcp/message.js'
import { PoolState } from '../../../../server/netboot/dhcp/pool.js'
import { ipv4Subnet } from '../../../../src/ipv4.js'
import { hangMs } from '../../../support/limits.js'
import { asking, Bench, ip, lan, pool, type Said, say, site, typeOf } from './support.js'

const honest = '52:54:00:00:00:0a'
const poolSize = pool.last - pool.first + 1

/** The MAC address of the n-th invention. */
function invented(n: number): string {
  const [high = 0, middle = 0, low = 0] = [n >> 16, n >> 8, n].map((part) => part & 255)
  return ['02', 'bb', '00', ...[high, middle, low].map((part) => part.toString(16).padStart(2, '0'))].join(
    ':',
  )
}

/** Option 82 with this circuit. */
function behind(circuit: string): NonNullable<Said['options']> {
  const id = Buffer.from(circuit, 'latin1')
  return [[optionCodes.relayInfo, Buffer.concat([Buffer.from([1, id.length]), id])]]
}

for (const all of [pool, { ...pool, last: pool.first }]) {
  test(`inventions that are offered ${all.last - all.first + 1} addresses and ask for none keep none of them`, () => {
    const bench = new Bench(site({ pools: [all] }))
    let inventions = 0
    const flood = () => {
      for (let count = 0; count < 200; count++) bench.hear(say('discover', { mac: invented(inventions++) }))
    }
    for (let round = 0; round < 5; round++) {
      flood()
      const [offer] = bench.hear(say('discover', { mac: honest }))
      assert.ok(offer, `round ${round}`)
      // Its address is offered to others many times before it asks: it has it all the same.
      flood()
      const [ack] = bench.hear(say('request', { mac: honest, ...asking(offer) }))
      assert.deepEqual([ack && typeOf(ack), ack?.packet.yiaddr], ['ack', offer.packet.yiaddr])
      flood()
      const ciaddr = `10.77.0.${(ack?.packet.yiaddr ?? 0) & 255}`
      bench.hear(say('release', { mac: honest, ciaddr }), { local: lan.address })
    }
    assert.ok(bench.machine.stats(bench.nowMs).recalled > 500)
  })
}

test('an address that is offered to one after the other is looked for by ARP once a minute', () => {
  const bench = new Bench()
  const probes = () => bench.effects.filter(({ kind }) => kind === 'probe').length
  for (let made = 0; made < 500; made++) bench.hear(say('discover', { mac: invented(made) }))
  assert.equal(probes(), poolSize)
  bench.nowMs += 61_000
  bench.hear(say('discover', { mac: invented(600) }))
  assert.equal(probes(), poolSize + 1)
})

test('whoever was offered nothing cannot take what another was offered', () => {
  const bench = new Bench()
  const [offer] = bench.hear(say('discover', { mac: honest }))
  assert.ok(offer)
  const { wanted } = asking(offer)
  assert.deepEqual(bench.hear(say('request', { mac: invented(1), wanted })).map(typeOf), ['nak'])
  assert.deepEqual(bench.hear(say('request', { mac: honest, ...asking(offer) })).map(typeOf), ['ack'])
})

test('machines that decline what they were given take a quarter of the pool at most, and nothing that is needed', () => {
  const bench = new Bench()
  const decline = (n: number) => {
    const address = bench.lease({ mac: invented(n) })
    const wanted = `10.77.0.${address & 255}`
    bench.hear(say('decline', { mac: invented(n), wanted, server: '10.77.0.1' }))
    return address
  }
  const declined = Array.from({ length: 100 }, (_, n) => decline(n))
  const free = Array.from({ length: poolSize }, (_, n) => bench.lease({ mac: `52:54:00:00:01:${10 + n}` }))
  assert.equal(new Set(free).size, poolSize)
  // The last ones given are those that were declined last.
  assert.deepEqual(new Set(free.slice(-5)), new Set(declined.slice(-5)))
})

test('what machines give back goes to others without a look at all addresses', { timeout: hangMs }, () => {
  const subnet = ipv4Subnet(ip('10.64.0.0'), 16)
  const [first, size] = [subnet.network + 1, 65_000]
  const state = new PoolState({ ...pool, subnet, first, last: first + size - 1 }, [], [])
  const [nowMs, expiresMs] = [1000, 1_000_000]
  for (let n = 0; n < size; n++) state.bind({ mac: invented(n), address: first + n, expiresMs })
  for (let n = 0; n < 200_000; n++) {
    state.release(invented(n), nowMs)
    const mac = invented(size + n)
    const address = state.choose(mac, undefined, nowMs)
    assert.equal(address, first + (n % size))
    state.bind({ mac, address, expiresMs })
  }
})

test('what answered ARP is not offered again because somebody declines much', () => {
  const bench = new Bench()
  const used = bench.hear(say('discover', { mac: invented(0) }))[0]?.packet.yiaddr ?? 0
  const again = new Bench()
  again.users.set(used, 'aa:aa:aa:aa:aa:aa')
  for (let n = 0; n < 100; n++) {
    const address = again.lease({ mac: invented(n) })
    assert.notEqual(address, used)
    again.hear(say('decline', { mac: invented(n), wanted: `10.77.0.${address & 255}`, server: '10.77.0.1' }))
  }
})

test('behind one port of a switch machines get no more than its share, where relays name the ports', () => {
  const big = { ...pool, first: ip('10.77.0.10'), last: ip('10.77.0.249') }
  const bench = new Bench(site({ pools: [big] }))
  for (let n = 0; n < 8; n++) bench.lease({ mac: `52:54:00:00:02:0${n}`, options: behind(`port ${n}`) })
  const got = Array.from({ length: 400 }, (_, n) => {
    const said = { mac: invented(n), options: behind('port 3') }
    const [offer] = bench.hear(say('discover', said))
    return offer && bench.hear(say('request', { ...said, ...asking(offer) })).length > 0
  })
  assert.equal(got.filter(Boolean).length, 31)
  const init = { mac: invented(999), wanted: '10.77.0.249', options: behind('port 3') }
  assert.deepEqual(bench.hear(say('request', init)), [])
  // All others, and those of the port that have an address, are served on.
  const others = Array.from({ length: 200 }, (_, n) =>
    bench.lease({
      mac: `52:54:00:00:03:${n.toString(16).padStart(2, '0')}`,
      options: behind(`port ${n % 50}x`),
    }),
  )
  assert.equal(new Set(others).size, 200)
  bench.lease({ mac: '52:54:00:00:02:03', options: behind('port 3') })
})

test('where all come through one port, it has the whole pool', () => {
  const bench = new Bench(site({ pools: [{ ...pool, first: ip('10.77.0.10'), last: ip('10.77.0.249') }] }))
  const given = Array.from({ length: 240 }, (_, n) =>
    bench.lease({ mac: invented(n), options: behind('vlan7') }),
  )
  assert.equal(new Set(given).size, 240)
})

test('a relay that floods us is answered at its rate, and 500 machines of another one all the same', () => {
  const net = (third: number) => ({
    ...{ subnet: { network: ip(`10.${third}.0.0`), mask: 0xffff0000 }, router: 0, dns: [], domain: '' },
    ...{ first: ip(`10.${third}.1.0`), last: ip(`10.${third}.4.255`) },
  })
  const bench = new Bench(site({ pools: [net(88), net(89)] }))
  const relayed = { local: lan.address, from: { address: ip('10.88.0.1'), port: 67 } }
  let answered = 0
  for (let n = 0; n < 20_000; n++) {
    bench.nowMs += n % 20 === 0 ? 1 : 0
    bench.effects.length = 0
    answered += bench.hear(say('discover', { mac: invented(n), giaddr: '10.88.0.1' }), relayed).length
  }
  // In a second: 4,096 at once, and then 2,000.
  assert.ok(answered <= 4096 + 2000 + 2, `${answered} answers`)
  assert.equal(bench.machine.stats(bench.nowMs).ignored_too_many, 20_000 - answered)
  const other = { local: lan.address, from: { address: ip('10.89.0.1'), port: 67 } }
  for (let n = 0; n < 500; n++) {
    const mac = `52:54:00:01:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`
    const said = { mac, giaddr: '10.89.0.1' }
    // As the firmware, iPXE and stage 1 of each ask.
    for (let stage = 0; stage < 3; stage++) {
      const [offer] = bench.hear(say('discover', said), other)
      assert.ok(offer)
      assert.equal(bench.hear(say('request', { ...said, ...asking(offer) }), other).length, 1)
    }
  }
})

test('a sender that names relay after relay leaves room for others, and keeps no relay from being answered', () => {
  const net = { subnet: { network: ip('10.89.0.0'), mask: 0xffff0000 }, router: 0, dns: [], domain: '' }
  const bench = new Bench(site({ pools: [{ ...net, first: ip('10.89.1.0'), last: ip('10.89.4.255') }] }))
  const flooding = { local: lan.address, from: { address: ip('10.88.0.66'), port: 67 } }
  for (let n = 0; n < 20_000; n++) {
    bench.nowMs += n % 20 === 0 ? 1 : 0
    const giaddr = n % 2 === 0 ? '10.89.0.1' : `10.90.${(n >> 8) & 255}.${n & 255}`
    bench.hear(say('inform', { mac: invented(n), giaddr }), flooding)
  }
  const relayed = { local: lan.address, from: { address: ip('10.89.0.1'), port: 67 } }
  for (let n = 0; n < 400; n++) {
    const said = { mac: invented(30_000 + n), giaddr: '10.89.0.1' }
    for (let stage = 0; stage < 3; stage++) {
      const [offer] = bench.hear(say('discover', said), relayed)
      assert.ok(offer, `machine ${n}`)
      assert.equal(bench.hear(say('request', { ...said, ...asking(offer) }), relayed).length, 1)
    }
  }
})

test('nobody is answered at port 0, nor through a relay that is none', () => {
  for (const mode of ['proxy', 'full'] as const) {
    const bench = new Bench(site({ mode }))
    const options = [[60, Buffer.from('PXEClient')] as const, [93, Buffer.from([0, 7])] as const]
    for (const port of ['dhcp', 'boot'] as const) {
      const from = { address: ip('10.77.0.66'), port: 0 }
      assert.deepEqual(bench.hear(say('discover', { options }), { port, local: lan.address, from }), [])
    }
    for (const giaddr of ['255.255.255.255', '224.0.0.1', '127.0.0.1', '0.0.0.9'])
      assert.deepEqual(bench.hear(say('discover', { options, giaddr }), { local: lan.address }), [])
    assert.equal(bench.machine.stats(bench.nowMs).malformed, 6)
  }
})

test('inventions that take all addresses lose them to machines that are there, and nobody who answers does', () => {
  const bench = new Bench()
  const alive = Array.from({ length: 5 }, (_, n) => {
    const mac = `52:54:00:00:04:0${n}`
    const address = bench.lease({ mac })
    bench.users.set(address, mac)
    return { mac, address }
  })
  for (let n = 0; n < poolSize - alive.length; n++) bench.lease({ mac: invented(n) })
  const before = bench.effects.length
  assert.deepEqual(bench.hear(say('discover', { mac: honest })), [], 'they were heard a moment ago')
  assert.equal(bench.machine.stats(bench.nowMs).exhausted, 1)
  bench.nowMs += 11_000
  const address = bench.lease({ mac: honest })
  assert.ok(!alive.some((other) => other.address === address))
  const after = bench.effects.slice(before)
  assert.deepEqual(
    after.filter(({ kind }) => kind === 'forget').map((effect) => 'address' in effect && effect.address),
    [address],
  )
  assert.ok(
    after.every((effect) => effect.kind !== 'probe' || effect.isThorough || effect.address !== address),
  )
  assert.equal(bench.machine.stats(bench.nowMs).reclaimed, 1)
  // The others go on as before.
  for (const { mac, address: own } of alive) assert.equal(bench.lease({ mac }), own)
})

test('a machine that says something while it is looked for keeps its address', () => {
  const bench = new Bench(site({ pools: [{ ...pool, last: pool.first }] }))
  bench.lease({ mac: invented(1) })
  bench.nowMs += 11_000
  const how = { port: 'dhcp', interface: lan.name, local: undefined, from: { address: 0, port: 68 } } as const
  const [probe] = bench.machine.receive({ bytes: say('discover', { mac: honest }), ...how }, bench.nowMs)
  assert.equal(probe?.kind, 'probe')
  bench.nowMs += 1000
  const renewal = say('request', { mac: invented(1), ciaddr: '10.77.0.100' })
  assert.equal(bench.hear(renewal, { local: lan.address }).map(typeOf)[0], 'ack')
  const effects = bench.machine.probed(pool.first, { kind: 'free' }, bench.nowMs)
  assert.deepEqual(
    effects.filter(({ kind }) => kind === 'send' || kind === 'forget'),
    [],
  )
})

test('nobody’s address is taken unless it was asked for, nor a reserved one', () => {
  const reservations = [{ mac: honest, address: pool.first }]
  const bench = new Bench(site({ reservations, pools: [{ ...pool, last: pool.first + 1 }] }))
  bench.lease({ mac: honest })
  bench.lease({ mac: invented(1) })
  bench.nowMs += 11_000
  const how = { port: 'dhcp', interface: lan.name, local: undefined, from: { address: 0, port: 68 } } as const
  const [probe] = bench.machine.receive({ bytes: say('discover', { mac: invented(2) }), ...how }, bench.nowMs)
  assert.equal(probe?.kind === 'probe' && probe.address, pool.first + 1)
  const effects = bench.machine.probed(pool.first + 1, { kind: 'unknown' }, bench.nowMs)
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ['tell', 'fact'],
  )
})

test('several senders that flood an interface leave room for machines that ask for the first time', () => {
  const bench = new Bench(site({}))
  for (let n = 0; n < 40_000; n++) {
    bench.nowMs += n % 20 === 0 ? 1 : 0
    bench.effects.length = 0
    const from = { address: ip(`10.88.0.${1 + (n % 8)}`), port: 67 }
    bench.hear(say('discover', { mac: invented(n % 8), giaddr: `10.88.0.${1 + (n % 8)}` }), {
      local: lan.address,
      from,
    })
  }
  assert.ok(bench.machine.stats(bench.nowMs).ignored_too_many > 0)
  bench.effects.length = 0
  for (let n = 0; n < 20; n++)
    assert.ok(bench.hear(say('discover', { mac: invented(100 + n) })).length > 0, `${n}`)
})
