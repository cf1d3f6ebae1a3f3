import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RelayPorts } from '../../../server/netboot/relay-ports.js'
import { NODES_MAX } from '../../../src/limits.js'

const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex')

test('identities as people write them: text where it is text, else hex digits', () => {
  const ports = new RelayPorts()
  ports.note('a', { circuitId: hex('sw3-port7'), remoteId: '0006aabbccddeeff' })
  assert.deepEqual(ports.idsOf('a'), ['sw3-port7', '0x0006aabbccddeeff'])
  ports.note('a', { circuitId: '', remoteId: '' })
  assert.equal(ports.idsOf('a').length, 2)
  ports.note('a', { circuitId: hex('two words'), remoteId: '' })
  assert.deepEqual(ports.idsOf('a'), [`0x${hex('two words')}`])
  assert.deepEqual(ports.idsOf('b'), [])
})

test('made-up machines push out those not seen for longest, not the memory', () => {
  const ports = new RelayPorts()
  for (let i = 0; i <= NODES_MAX; i++) ports.note(`m${i}`, { circuitId: '61', remoteId: '' })
  assert.deepEqual([ports.idsOf('m0').length, ports.idsOf('m1').length], [0, 1])
})
