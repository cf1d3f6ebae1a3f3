import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readMessage } from '../../../../server/netboot/dhcp/message.js'
import { encodePacket, parsePacket } from '../../../../server/netboot/dhcp/packet.js'
import { fuzzed } from '../../../fuzz.js'
import { Bench, ip, pool, site } from './support.js'

/** What went over the wire when real firmware booted from this server; it went on to load its file every time. */
interface Capture {
  readonly name: string
  readonly mode: 'proxy' | 'full'
  readonly datagrams: readonly { readonly from: string; readonly to: string; readonly hex: string }[]
}

const captures = JSON.parse(readFileSync('test/server/netboot/dhcp/captures.json', 'utf8')) as Capture[]

function endpoint(text: string): { address: number; port: number } {
  const [address = '', port = ''] = text.split(':')
  return { address: ip(address), port: Number(port) }
}

for (const { name, mode, datagrams } of captures) {
  test(`replay: ${name}`, () => {
    const bench = new Bench(site({ mode, pools: mode === 'full' ? [pool] : [], leaseS: 86_400 }))
    const sent: { from: string; to: string; hex: string }[] = []
    for (const { from, to, hex } of datagrams) {
      if (from.startsWith('10.77.0.1:')) continue
      const { address, port } = endpoint(to)
      const local = address === 0xffffffff ? undefined : address
      const how = { from: endpoint(from), local, port: port === 4011 ? ('boot' as const) : ('dhcp' as const) }
      for (const reply of bench.hear(Buffer.from(hex, 'hex'), how)) {
        const dotted = [24, 16, 8, 0].map((shift) => (reply.to.address >>> shift) & 255).join('.')
        sent.push({
          from: `10.77.0.1:${reply.port === 'boot' ? 4011 : 67}`,
          to: `${dotted}:${reply.to.port}`,
          hex: encodePacket(reply.packet).toString('hex'),
        })
      }
    }
    assert.deepEqual(
      sent,
      datagrams.filter(({ from }) => from.startsWith('10.77.0.1:')),
    )
  })
}

test('what the captured clients say of themselves is read', () => {
  const first = captures.map(({ datagrams }) => readMessage(Buffer.from(datagrams[0]?.hex ?? '', 'hex')))
  const facts = first.map((message) => {
    assert.ok('type' in message)
    const { type, mac, bootClass, archCodes, isIpxe, ipxeFeatures, machineId } = message
    const http = ipxeFeatures?.has(0x13) ?? false
    return [type, mac, bootClass, archCodes.join(), isIpxe, http, machineId?.length]
  })
  const rom = ['discover', '52:54:00:12:34:56', 'PXEClient', '0', true, true, 17]
  const edk2 = ['discover', '52:54:00:12:34:57', 'PXEClient', '7', false, false, 17]
  const http = ['discover', '52:54:00:12:34:58', 'HTTPClient', '16', false, false, 17]
  const linux = ['discover', '52:54:00:12:34:5a', undefined, '', false, false, undefined]
  assert.deepEqual(facts, [rom, rom, edk2, edk2, http, http, linux])
})

test('every captured message is written as it was read', () => {
  for (const { datagrams } of captures) {
    for (const { hex } of datagrams) {
      const packet = parsePacket(Buffer.from(hex, 'hex'))
      assert.ok('op' in packet)
      assert.deepEqual(parsePacket(encodePacket(packet)), packet)
    }
  }
})

test('100,000 mutated messages: none throws, all are counted, and the next good one is answered', () => {
  const good = captures.flatMap(({ datagrams }) =>
    datagrams.filter(({ from }) => !from.startsWith('10.77.0.1:')).map(({ hex }) => Buffer.from(hex, 'hex')),
  )
  const each = Math.ceil(50_000 / good.length)
  for (const mode of ['proxy', 'full'] as const) {
    const bench = new Bench(site({ mode, pools: mode === 'full' ? [pool] : [] }))
    let fed = 0
    for (const [seed, bytes] of good.entries()) {
      for (const variant of fuzzed(bytes, 4242 + seed, each)) {
        fed++
        bench.nowMs += 7
        const port = fed % 3 === 0 ? ('boot' as const) : ('dhcp' as const)
        const local = fed % 2 === 0 ? ip('10.77.0.1') : undefined
        for (const { packet } of bench.hear(variant, { port, local })) {
          const again = parsePacket(encodePacket(packet))
          assert.ok('op' in again && again.op === 2)
        }
        bench.effects.length = 0
      }
    }
    const stats = bench.machine.stats(bench.nowMs)
    assert.equal(stats.received, fed)
    assert.ok(fed >= 50_000)
    assert.ok(stats.malformed > 1_000 && stats.malformed < fed, `${stats.malformed}`)
    assert.ok(stats.leases <= 21)
    // All addresses may be taken by what never was a machine; they come back.
    bench.nowMs += 3_600_000
    const [answer] = bench.hear(good[0] ?? Buffer.alloc(0))
    assert.equal(answer?.packet.xid, good[0]?.readUInt32BE(4))
  }
})
