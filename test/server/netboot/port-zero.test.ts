/** Datagrams that say they come from port 0: nobody can be answered there, and trying to would throw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pxe, say } from './dhcp/support.js'
import { NetbootSite } from './support.js'

/** Node cannot send from port 0. Arguments: the server, then pairs of a port and a payload in hex digits. */
const sendFromZero = `
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
for port, text in zip(sys.argv[2::2], sys.argv[3::2]):
    payload = bytes.fromhex(text)
    raw.sendto(struct.pack('!HHHH', 0, int(port), 8 + len(payload), 0) + payload, (sys.argv[1], 0))
`

test('DHCP, its boot port and TFTP outlive datagrams from port 0', async (t) => {
  const place = NetbootSite.make(
    t,
    '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110}]}',
  )
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { wire } = place
  wire.client('evil', '52:54:00:00:00:66')
  wire.run('evil', 'ip', 'address', 'add', '10.77.0.200/24', 'dev', 'eth0')
  const server = await place.start()
  const pid = place.ownerOf(67)
  const asked = ['discover', 'request', 'inform'] as const
  const dhcp = asked.map((type) => say(type, { ciaddr: '10.77.0.200', options: pxe }).toString('hex'))
  const read = Buffer.from('\0\x01undionly.kpxe\0octet\0', 'latin1').toString('hex')
  const datagrams = [...dhcp.flatMap((hex) => ['67', hex, '4011', hex]), '69', read]
  wire.run('evil', 'python3', '-c', sendFromZero, '10.77.0.1', ...datagrams)
  wire.client('a', '52:54:00:00:00:0a')
  assert.match(place.udhcpc('a').ip ?? '', /^10\.77\.0\.1/)
  assert.equal(place.ownerOf(67), pid)
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
})
