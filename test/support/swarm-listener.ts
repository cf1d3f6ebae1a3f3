/**
 * Listens to a server's LSD group and asks its DHT node for the peers of a torrent, once a second; prints each address
 * that either names, as `lsd ADDRESS` and `dht ADDRESS`. Arguments: the own address, the DHT's port, infohash, and the
 * addresses to ask.
 */
import { createSocket } from 'node:dgram'
import { lsdGroup, lsdPort, parseLsd } from '../../server/swarm/lsd-packet.js'

const [own = '', port = '', infohash = '', ...servers] = process.argv.slice(2)
const seen = new Set<string>()
const tell = (line: string) => {
  if (seen.has(line)) return
  seen.add(line)
  process.stdout.write(`${line}\n`)
}

const group = createSocket({ type: 'udp4', reuseAddr: true })
group.on('message', (bytes, from) => {
  if (parseLsd(bytes)?.infohashes.includes(infohash)) tell(`lsd ${from.address}`)
})
group.bind(lsdPort, () => group.addMembership(lsdGroup, own))

const dht = createSocket('udp4')
dht.on('message', (bytes) => {
  // A peer is six bytes in the list "values" (BEP 5).
  const at = bytes.indexOf('6:valuesl6:')
  if (at >= 0) tell(`dht ${[...bytes.subarray(at + 11, at + 15)].join('.')}`)
})
const query = Buffer.concat([
  Buffer.from('d1:ad2:id20:abcdefghij01234567899:info_hash20:'),
  Buffer.from(infohash, 'hex'),
  Buffer.from('e1:q9:get_peers1:t2:aa1:y1:qe'),
])
setInterval(() => {
  for (const server of servers) dht.send(query, Number(port), server, () => {})
}, 1000)
