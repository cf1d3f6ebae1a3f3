/**
 * A TFTP client that takes its time: loads a file block by block, one each 20 ms, until a line comes in on standard
 * input, then as fast as it can. Prints `began`, and at the end the SHA-256 of what it got. Arguments: server and file.
 */
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { ackPacket, readRequest } from '../../bench/netboot/tftp-client.js'

const blockBytes = 512
const [server = '', name = ''] = process.argv.slice(2)
const hash = createHash('sha256')
let last = 0
let isSlow = true
process.stdin.once('data', () => {
  isSlow = false
})

const socket = createSocket('udp4')
socket.on('message', (packet, from) => {
  if (packet.readUInt16BE(0) !== 3) throw new Error(packet.toString('latin1'))
  const block = packet.readUInt16BE(2)
  if (block === ((last + 1) & 0xffff)) {
    last += 1
    hash.update(packet.subarray(4))
    if (last === 10) process.stdout.write('began\n')
  }
  const isLast = packet.length - 4 < blockBytes
  const ack = () =>
    socket.send(ackPacket(last), from.port, from.address, () => {
      if (!isLast) return
      process.stdout.write(`${hash.digest('hex')}\n`)
      process.exit(0)
    })
  setTimeout(ack, isSlow ? 20 : 0)
})
socket.send(readRequest(name), 69, server)
