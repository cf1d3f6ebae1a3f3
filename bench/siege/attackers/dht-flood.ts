/** DHT queries (BEP 5) of invented nodes: `dht-flood.js TARGET server|agents NUMBER`, so many a second. */
import { randomBytes } from 'node:crypto'
import { encodeBencode } from '../../../src/bencode.js'
import { words } from '../client/attacker.js'
import { atServer } from '../client/connections.js'
import { flood } from '../client/datagrams.js'
import { infohash } from '../client/peer.js'
import { followAgents } from '../client/swarm.js'
import { ports } from '../target.js'

const [whom = 'server', perS = '1000'] = words
const sourcePorts = 64
const server = atServer(ports.dht)
let turn = 0

function query(): Buffer {
  const id = randomBytes(20)
  const wanted = (randomBytes(1)[0] ?? 0) < 128 ? infohash : randomBytes(20)
  const queries = {
    ping: { id },
    find_node: { id, target: randomBytes(20) },
    get_peers: { id, info_hash: wanted },
    announce_peer: { id, implied_port: 1, info_hash: wanted, port: 6881, token: randomBytes(8) },
  }
  const names = Object.keys(queries) as (keyof typeof queries)[]
  turn += 1
  const q = names[turn % names.length] ?? 'ping'
  return Buffer.from(encodeBencode({ a: queries[q], q, t: randomBytes(2), y: 'q' }))
}

// An agent's DHT has the number of its TCP port.
flood(whom === 'agents' ? followAgents() : () => [server], sourcePorts, Number(perS), query)
