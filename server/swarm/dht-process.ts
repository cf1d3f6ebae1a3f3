/** The DHT node's process: bittorrent-dht on a guarded socket. It knows the site's torrents only. */

import DHT from 'bittorrent-dht'
import { cidrMatcher, isLoopback } from '../../src/net.js'
import { endWithParent, toParent } from '../process/child.js'
import { boundDht } from './dht-bounds.js'
import type { FromDht, OwnAddress, ToDht } from './dht-messages.js'
import { GuardedSocket } from './dht-socket.js'

const statsEveryMs = 1_000

endWithParent()
const send = (message: FromDht): void => toParent(message)
let torrents = new Set<string>()
let seederPort = 0
let own: readonly OwnAddress[] = []

const socket = new GuardedSocket((packet, from) => {
  if (packet.kind === 'answer' || packet.infohash === undefined) return true
  if (!torrents.has(packet.infohash)) return false
  if (packet.query === 'get_peers' && seederPort > 0) {
    // The seeder at the address that this node can reach it at, renewed for each that asks.
    const seeder = { host: localAddressFor(from.address), port: seederPort }
    dht._addPeer(seeder, Buffer.from(packet.infohash, 'hex'), seeder)
  }
  return true
})

// bootstrap: false, or it would ask the public routers.
const dht = new DHT({ bootstrap: false, socket })
boundDht(dht)

dht.on('error', (error: NodeJS.ErrnoException) => {
  send({ type: 'failed', inUse: error.code === 'EADDRINUSE', message: error.message })
  setTimeout(() => process.exit(1), 100)
})
dht.on('warning', () => {})
dht.on('listening', () => send({ type: 'listening', port: dht.address().port }))

process.on('message', (message: ToDht) => {
  if (message.type === 'start') {
    dht.listen(message.port)
    setInterval(() => send({ type: 'stats', nodes: dht.nodes.toArray().length }), statsEveryMs)
  } else if (message.type === 'addresses') {
    own = message.own
  } else {
    torrents = new Set(message.infohashes)
    seederPort = message.seederPort
  }
})

/** Our address in the subnet of the other, or the first. */
function localAddressFor(remote: string): string {
  if (isLoopback(remote)) return '127.0.0.1'
  const near = own.find(({ cidr }) => cidr !== null && cidrMatcher(cidr)(remote))
  return (near ?? own[0])?.address ?? '127.0.0.1'
}
