import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4Subnet } from '../../../../src/ipv4.js'
import { Bench, ip, lan, pxe, say, site, typeOf } from './support.js'

const proxy = () => new Bench(site({ mode: 'proxy', pools: [] }))
const bios: [number, Buffer][] = [
  [60, Buffer.from('PXEClient:Arch:00000:UNDI:002001')],
  [93, Buffer.from([0, 0])],
]

test('only who asks for network boot is answered', () => {
  const bench = proxy()
  assert.deepEqual(bench.hear(say('discover')), [])
  assert.deepEqual(bench.hear(say('discover', { options: [[60, Buffer.from('MSFT 5.0')]] })), [])
  assert.deepEqual(bench.hear(say('request', { options: pxe, wanted: '10.77.0.5', server: '10.77.0.2' })), [])
  assert.deepEqual(bench.hear(say('inform', { ciaddr: '10.77.0.5', options: pxe })), [])
  assert.equal(bench.hear(say('discover', { options: pxe })).length, 1)
  const stats = bench.machine.stats(0)
  assert.deepEqual(
    [stats.ignored, stats.ignored_not_netboot, stats.ignored_other_server, stats.ignored_wrong_type],
    [4, 2, 1, 1],
  )
})

test('an offer without an address; option 43 for a BIOS, none for UEFI', () => {
  const [pc] = proxy().hear(say('discover', { options: bios }))
  assert.ok(pc)
  assert.deepEqual([typeOf(pc), pc.packet.yiaddr, pc.packet.siaddr], ['offer', 0, lan.address])
  assert.equal(pc.packet.file, 'bios/undionly.kpxe')
  assert.deepEqual(pc.packet.options.get(43), Buffer.from([6, 1, 8, 255]))
  assert.equal(pc.packet.options.has(51), false)
  const [uefi] = proxy().hear(say('discover', { options: pxe }))
  assert.equal(uefi?.packet.options.has(43), false)
  assert.equal(uefi?.packet.file, 'x64/snponly.efi')
  assert.equal(uefi?.packet.options.get(60)?.toString(), 'PXEClient')
})

test('a BIOS that asks for our offer on port 67 is answered there', () => {
  const asked = say('request', { options: bios, server: '10.77.0.1', wanted: '10.77.0.5' })
  assert.deepEqual(proxy().hear(asked).map(typeOf), ['ack'])
})

test('port 4011 answers to where the question came from, with the machine identity', () => {
  const bench = proxy()
  const machineId = Buffer.concat([Buffer.alloc(1), Buffer.alloc(16, 5)])
  const from = { address: ip('10.77.0.5'), port: 4011 }
  const said = say('request', { ciaddr: '10.77.0.5', options: [...pxe, [97, machineId]] })
  const [ack] = bench.hear(said, { port: 'boot', local: lan.address, from })
  assert.ok(ack)
  assert.deepEqual([typeOf(ack), ack.port, ack.to], ['ack', 'boot', from])
  assert.deepEqual(ack.packet.options.get(97), machineId)
  assert.equal(ack.packet.file, 'x64/snponly.efi')
  assert.deepEqual(
    bench.hear(say('request', { ciaddr: '10.77.0.5' }), { port: 'boot', local: lan.address, from }),
    [],
  )
})

test('UEFI HTTP boot gets a URL, and is taken for what it is', () => {
  const options: [number, Buffer][] = [
    [60, Buffer.from('HTTPClient:Arch:00016:UNDI:003001')],
    [93, Buffer.from([0, 16])],
  ]
  const [offer] = proxy().hear(say('discover', { options }))
  assert.equal(offer?.packet.options.get(60)?.toString(), 'HTTPClient')
  assert.equal(offer?.packet.file, 'http://10.77.0.1:8480/v1/ipxe/bin/x64/ipxe.efi')
  assert.equal(offer?.packet.options.has(66), false)
})

test('URLs name the configured host, or our address on that interface', () => {
  const other = { name: 'lan1', address: ip('10.88.0.1'), subnet: ipv4Subnet(ip('10.88.0.0'), 24) }
  const options: [number, Buffer][] = [...pxe, [77, Buffer.from('iPXE')]]
  const files = (bench: Bench) =>
    [lan, other].map(({ name }) => {
      const [offer, ...rest] = bench.hear(say('discover', { options }), { interface: name })
      assert.deepEqual(rest, [], 'one for the interface where the question came in')
      return offer?.packet.file.slice(0, 22)
    })
  const two = site({ mode: 'proxy', pools: [], interfaces: [lan, other] })
  assert.deepEqual(files(new Bench(two)), ['http://10.77.0.1:8480/', 'http://10.88.0.1:8480/'])
  assert.deepEqual(files(new Bench({ ...two, httpHost: '9.9.9.9' })), Array(2).fill('http://9.9.9.9:8480/v1'))
})

test('a relay gets one offer, at its port 67', () => {
  const bench = proxy()
  const [offer, ...rest] = bench.hear(say('discover', { options: pxe, giaddr: '10.99.0.1' }), {
    local: lan.address,
  })
  assert.deepEqual([offer?.to, rest.length], [{ address: ip('10.99.0.1'), port: 67 }, 0])
})

test('a refusal says why, once for each machine', () => {
  const bench = proxy()
  const options: [number, Buffer][] = [
    [60, Buffer.from('PXEClient')],
    [93, Buffer.from([0, 99])],
  ]
  for (let i = 0; i < 3; i++) assert.deepEqual(bench.hear(say('discover', { options })), [])
  assert.equal(bench.told('dhcp.refused'), 1)
  assert.equal(bench.machine.stats(0).refused, 3)
  const tell = bench.effects.find((effect) => effect.kind === 'tell')
  assert.match(tell?.text ?? '', /architecture code 99 /)
  assert.equal(tell?.facts.code, 'BOOT_REFUSED')
})

test('the site’s own DHCP server is learnt from its clients', () => {
  const bench = proxy()
  bench.hear(say('request', { wanted: '10.77.0.5', server: '10.77.0.2' }))
  assert.equal(bench.told('dhcp.site-server'), 1)
  assert.deepEqual(
    bench.effects.filter(({ kind }) => kind === 'other-server'),
    [{ kind: 'other-server', address: ip('10.77.0.2') }],
  )
})

test('where a relay saw a machine is told in both modes', () => {
  const options: [number, Buffer][] = [[82, Buffer.from([1, 2, 0x73, 0x37])]]
  for (const mode of ['proxy', 'full'] as const) {
    const bench = new Bench(site({ mode }))
    bench.hear(say('discover', { options, giaddr: '10.99.0.1' }), { local: lan.address })
    // A snooping switch adds the option without being a relay.
    bench.hear(say('discover', { options }))
    const seen = { kind: 'seen', mac: '52:54:00:00:00:01', relayPort: { circuitId: '7337', remoteId: '' } }
    assert.deepEqual(
      bench.effects.filter(({ kind }) => kind === 'seen'),
      [seen, seen],
    )
    assert.equal(bench.told('dhcp.relay-port'), 1)
  }
})
