import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cidrMatcher, formatIpPort, ipv6Groups, isCidr, parseIpPort, plainAddress } from '../../src/net.js'

test('IP:PORT', () => {
  assert.deepEqual(parseIpPort('10.0.0.1:6881'), { ip: '10.0.0.1', port: 6881 })
  assert.deepEqual(parseIpPort('[fd00::1]:1'), { ip: 'fd00::1', port: 1 })
  const wrong = [
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    '10.0.0.1:01',
    '010.0.0.1:1',
    '[10.0.0.1]:1',
    'fd00::1:1',
  ]
  for (const text of [...wrong, '[fd00:::1]:1', '[fe80::1%a]:1', 'host:1', '10.0.0.1:1 ']) {
    assert.equal(parseIpPort(text), undefined, text)
  }
  assert.equal(formatIpPort('fd00::1', 5), '[fd00::1]:5')
  assert.equal(formatIpPort('10.0.0.1', 5), '10.0.0.1:5')
})

test('addresses as sockets report them', () => {
  assert.equal(plainAddress('::ffff:10.0.0.1'), '10.0.0.1')
  assert.equal(plainAddress('FE80::1%eth0'), 'fe80::1')
  assert.equal(plainAddress('10.0.0.1'), '10.0.0.1')
})

test('CIDR blocks', () => {
  for (const text of ['10.0.0.0/8', '10.0.0.1/32', '0.0.0.0/0', 'fd00::/64', '::/0'])
    assert.ok(isCidr(text), text)
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'fd00::/129', '10.0.0.0/08', '/8', 'x/1']) {
    assert.ok(!isCidr(text), text)
  }
  const inside = cidrMatcher('10.1.0.0/16')
  assert.deepEqual(['10.1.255.1', '10.2.0.1', 'fd00::1', 'nonsense'].map(inside), [true, false, false, false])
  assert.ok(cidrMatcher('fd00:1::/32')('fd00:1:2::3'))
})

test('groups of IPv6 addresses', () => {
  assert.deepEqual(ipv6Groups('::'), [0, 0, 0, 0, 0, 0, 0, 0])
  assert.deepEqual(ipv6Groups('fd00:1::2'), [0xfd00, 1, 0, 0, 0, 0, 0, 2])
  assert.deepEqual(ipv6Groups('1:2:3:4:5:6:7:8'), [1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(ipv6Groups('64:ff9b::192.0.2.33'), [0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x221])
})
