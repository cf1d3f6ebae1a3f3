/**
 * Many TFTP transfers from one address that are kept for ever: each acknowledges a block a few times a second, and asks
 * again until it is served. Prints `began` when the first is. Arguments: our address, the server, the file, how many.
 */
import { createSocket } from 'node:dgram'
import { ackPacket, readRequest } from '../../bench/netboot/tftp-client.js'

const everyMs = 300
const [from = '', server = '', name = '', count = '0'] = process.argv.slice(2)

for (let made = 0; made < Number(count); made += 1) {
  const socket = createSocket('udp4')
  let tid: number | undefined
  let last = 0
  socket.on('error', () => {})
  socket.on('message', (packet, sender) => {
    const opcode = packet.readUInt16BE(0)
    if (opcode === 5) tid = undefined
    else if (opcode === 3) {
      if (tid === undefined) process.stdout.write('began\n')
      tid = sender.port
      last = packet.readUInt16BE(2)
    }
  })
  setInterval(() => {
    if (tid === undefined) socket.send(readRequest(name), 69, server)
    else socket.send(ackPacket(last), tid, server)
  }, everyMs)
  socket.bind(0, from)
}
