import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMessage } from '../../../../server/netboot/dhcp/message.js'
import { encodePacket, parsePacket } from '../../../../server/netboot/dhcp/packet.js'
import { Bench, pool, pxe, say, site } from './support.js'

const good = say('discover')
/** The fixed part with other options. */
const withOptions = (...options: number[]) => Buffer.concat([good.subarray(0, 240), Buffer.from(options)])
const malformed = (bytes: Uint8Array) => {
  const read = readMessage(bytes)
  return 'malformed' in read ? read.malformed : undefined
}

test('what is no DHCP message says what is wrong with it', () => {
  const changed = (at: number, ...bytes: number[]) => {
    const copy = Buffer.from(good)
    for (const [i, byte] of bytes.entries()) copy[at + i] = byte
    return copy
  }
  const cases: [Uint8Array, RegExp][] = [
    [Buffer.alloc(0), /shorter/],
    [good.subarray(0, 239), /shorter/],
    [Buffer.concat([good, Buffer.alloc(2000)]), /longer/],
    [changed(0, 3), /neither request nor reply/],
    [changed(2, 17), /hardware address/],
    [changed(236, 0), /magic/],
    [changed(28, 0xff), /no machine has/],
    [changed(28, 0, 0, 0, 0, 0, 0), /no machine has/],
    [withOptions(53), /option 53 goes beyond/],
    [withOptions(53, 2, 1), /option 53 goes beyond/],
    [withOptions(53, 2, 1, 1), /no message type/],
    [withOptions(255), /no message type/],
    [withOptions(53, 1, 2, 255), /offer in a request/],
    [withOptions(53, 1, 99, 255), /no message type/],
    [withOptions(53, 1, 1, 52, 1, 1, 255).fill(0x44, 108, 236), /option 68 goes beyond/],
  ]
  for (const [bytes, why] of cases) assert.match(malformed(bytes) ?? '', why)
  assert.deepEqual(readMessage(changed(0, 2)), { ignored: 'reply' })
  assert.deepEqual(readMessage(changed(1, 32)), { ignored: 'not_ethernet' })
})

test('options without an end mark, with padding and repeated are read (RFC 3396)', () => {
  const read = parsePacket(
    withOptions(0, 0, 53, 1, 1, 60, 3, 80, 88, 69, 0, 60, 6, 67, 108, 105, 101, 110, 116),
  )
  assert.ok('options' in read)
  assert.equal(read.options.get(60)?.toString(), 'PXEClient')
})

test('overloaded fields hold options, and no text (option 52)', () => {
  const bytes = withOptions(53, 1, 1, 52, 1, 3, 255)
  Buffer.from([60, 3, 80, 88, 69, 255]).copy(bytes, 108)
  Buffer.from([60, 6, 67, 108, 105, 101, 110, 116, 255]).copy(bytes, 44)
  const read = parsePacket(bytes)
  assert.ok('options' in read)
  assert.equal(read.options.get(60)?.toString(), 'PXEClient')
  assert.deepEqual([read.sname, read.file], ['', ''])
})

test('a long option is written in parts and read as one', () => {
  const long = Buffer.alloc(600, 'x')
  const packet = parsePacket(good)
  assert.ok('options' in packet)
  const again = parsePacket(
    encodePacket({
      ...packet,
      options: new Map([
        [43, long],
        [60, Buffer.alloc(0)],
      ]),
    }),
  )
  assert.ok('options' in again)
  assert.deepEqual(again.options.get(43), long)
  assert.equal(again.options.get(60)?.length, 0)
  assert.throws(() => encodePacket({ ...packet, file: 'x'.repeat(128) }), RangeError)
})

test('user class: bare, RFC 3004, and what only looks like it', () => {
  const classes = (...bytes: Buffer[]) => {
    const message = readMessage(say('discover', { options: [[77, Buffer.concat(bytes)]] }))
    return 'isIpxe' in message && message.isIpxe
  }
  assert.ok(classes(Buffer.from('iPXE')))
  assert.ok(classes(Buffer.from([4]), Buffer.from('iPXE')))
  assert.ok(classes(Buffer.from([3]), Buffer.from('abc'), Buffer.from([4]), Buffer.from('iPXE')))
  assert.ok(!classes(Buffer.from('iPXE2')))
  assert.ok(!classes(Buffer.from([9]), Buffer.from('iPXE')))
  assert.ok(!classes(Buffer.from([0, 4]), Buffer.from('iPXE')))
})

test('several architectures, a relay’s port and a wrong machine identity are read', () => {
  const message = readMessage(
    say('discover', {
      options: [
        ...pxe.slice(0, 1),
        [93, Buffer.from([0, 16, 0, 7, 9])],
        [82, Buffer.from([1, 2, 0xab, 0xcd, 2, 1, 0xef])],
        [97, Buffer.alloc(17, 1)],
        [175, Buffer.from([0x13, 1, 1, 0x14, 1, 0, 0x24, 1, 1])],
      ],
    }),
  )
  assert.ok('archCodes' in message)
  assert.deepEqual(message.archCodes, [16, 7])
  assert.deepEqual(message.relayPort, { circuitId: 'abcd', remoteId: 'ef' })
  assert.equal(message.machineId, undefined)
  assert.deepEqual([...(message.ipxeFeatures ?? [])], [0x13, 0x24])
})

/** The bytes of the options field up to and with the end mark, as a client reads them one after the other. */
function wireOptions(bytes: Buffer): { code: number; at: number; length: number }[] {
  const found = []
  for (let at = 240; bytes[at] !== 255; ) {
    const length = bytes[at + 1] ?? 0
    found.push({ code: bytes[at] ?? 0, at: at + 2, length })
    at += 2 + length
  }
  return found
}

test('firmware that reads options 66 and 67 up to a zero byte reads what they say', () => {
  const machineId = Buffer.concat([Buffer.alloc(1), Buffer.alloc(16, 5)])
  for (const mode of ['full', 'proxy'] as const) {
    const bench = new Bench(site({ mode, pools: mode === 'full' ? [pool] : [] }))
    const [offer] = bench.hear(say('discover', { options: [...pxe, [97, machineId]] }))
    assert.ok(offer)
    const bytes = encodePacket(offer.packet)
    const options = wireOptions(bytes)
    const toZero = (code: number) => {
      const at = options.find((option) => option.code === code)?.at ?? 0
      return bytes.toString('latin1', at, bytes.indexOf(0, at))
    }
    assert.equal(toZero(67), 'x64/snponly.efi')
    assert.equal(toZero(66), '10.77.0.1')
    const bootFile = options.find(({ code }) => code === 67)
    assert.equal(bootFile?.length, 'x64/snponly.efi'.length + 1)
    // It is the last, and only zero bytes follow the end mark: what reads too far reads nothing.
    assert.equal(options.at(-1)?.code, 67)
    const end = (bootFile?.at ?? 0) + (bootFile?.length ?? 0)
    assert.equal(bytes[end], 255)
    assert.ok(bytes.subarray(end + 1).every((byte) => byte === 0))
    // Compared as a whole by firmware, as dnsmasq sends it too.
    const vendor = options.find(({ code }) => code === 60)
    assert.equal(vendor?.length, 'PXEClient'.length)
  }
})
