import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientKinds, makeQuestion } from '../../../doctor/dhcp/kinds.js'
import { readOffer } from '../../../doctor/dhcp/offer.js'
import { DhcpMachine } from '../../../server/netboot/dhcp/decide.js'
import { readMessage } from '../../../server/netboot/dhcp/message.js'
import { encodePacket, parsePacket } from '../../../server/netboot/dhcp/packet.js'
import { fuzzed } from '../../fuzz.js'
import { site } from '../../server/netboot/dhcp/support.js'

const mac = Buffer.from('020000000001', 'hex')
const questions = new Map([[7, { kind: 'bios' as const, interface: 'lan0' }]])

test('every kind of client asks in a way that our own server understands', () => {
  for (const kind of clientKinds) {
    const message = readMessage(encodePacket(makeQuestion(kind, 'discover', { xid: 7, mac })))
    assert.ok('mac' in message && message.mac === '02:00:00:00:00:01', kind)
    assert.equal(message.packet.isBroadcast, true)
    assert.equal(message.bootClass !== undefined, kind !== 'linux')
    assert.equal(message.isIpxe, kind === 'ipxe')
  }
})

test('an answer of our server is read; one to another question, and a request, are not', () => {
  const machine = new DhcpMachine(site({ mode: 'proxy' }))
  const bytes = encodePacket(makeQuestion('bios', 'discover', { xid: 7, mac }))
  const from = { address: 0, port: 68 }
  const [effect] = machine
    .receive({ bytes, port: 'dhcp', interface: 'lan0', local: undefined, from }, 1)
    .filter(({ kind }) => kind === 'send')
  assert.ok(effect?.kind === 'send')
  const answer = encodePacket(effect.packet)
  const offer = readOffer(answer, '10.0.0.1', questions)
  assert.equal(offer?.file, 'bios/undionly.kpxe')
  assert.deepEqual([offer?.yiaddr, offer?.vendorClass, offer?.vendorSpecific], ['', 'PXEClient', '060108ff'])
  assert.equal(readOffer(answer, '10.0.0.1', new Map()), undefined)
  assert.equal(readOffer(bytes, '10.0.0.1', questions), undefined)
})

test('hostile answers: no control character reaches a terminal, no bytes throw', () => {
  const packet = parsePacket(encodePacket(makeQuestion('bios', 'discover', { xid: 7, mac })))
  assert.ok(!('malformed' in packet))
  const options = new Map(packet.options)
  options.set(53, Buffer.from([2]))
  options.set(60, Buffer.from('PXE\u001b[2J\n', 'latin1'))
  const bytes = encodePacket({ ...packet, op: 2, file: '\u001b]0;x\u0007', options })
  const offer = readOffer(bytes, '10.0.0.1', questions)
  assert.deepEqual([offer?.vendorClass, offer?.file], ['PXE?[2J?', '?]0;x?'])
  for (const junk of fuzzed(bytes, 1, 2000)) readOffer(junk, '10.0.0.1', questions)
})
