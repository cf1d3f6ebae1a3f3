/**
 * Sends mutated TFTP packets to a server: to port 69 and to the ports of the transfers that it began for them, as fast
 * as it reads. Arguments: our address, the server's, how many, another address of ours, whose requests are answered whatever comes from
 * the first. Prints how many were sent.
 */
import { createSocket, type Socket } from 'node:dgram'
import { ackPacket, readRequest, tftpGet } from '../../../bench/netboot/tftp-client.js'
import { fuzzed, randomFrom } from '../../fuzz.js'

const [from = '', server = '', count = '0', calm = ''] = process.argv.slice(2)
const name = 'undionly.kpxe'
const good = [
  readRequest(name, { blksize: 1432, tsize: 0, windowsize: 16, timeout: 1 }),
  readRequest(name, { blksize: 512 }),
  readRequest(name),
  readRequest('x64/snponly.efi', { tsize: 0 }),
  ackPacket(0),
  ackPacket(1),
  Buffer.from('\0\x05\0\x01gone\0', 'latin1'),
  Buffer.from('\0\x03\0\x01data', 'latin1'),
]
/** Packets on the way: fewer than the server's buffer holds. */
const atOnce = 128

/** Some of the packets come from the port that a transfer was begun for, so that they reach it. */
const sockets: Socket[] = []
const ports = new Map<Socket, number>()
for (let made = 0; made < 32; made++) {
  const socket = createSocket('udp4')
  socket.on('message', (_, sender) => ports.set(socket, sender.port))
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.bind(0, from, resolve))
  sockets.push(socket)
}

const send = (socket: Socket, packet: Buffer, port: number) =>
  new Promise<void>((resolve) => socket.send(packet, port, server, () => resolve()))

const random = randomFrom(69)
let sent = 0
for (const [seed, packet] of good.entries()) {
  for (const variant of fuzzed(packet, 6900 + seed, Math.ceil(Number(count) / good.length))) {
    const socket = sockets[random(sockets.length)]
    if (socket === undefined) continue
    const transferPort = random(2) === 0 ? ports.get(socket) : undefined
    await send(socket, variant, transferPort ?? 69)
    sent++
    if (sent % atOnce > 0) continue
    // It is read in order: an answer says that all before was read. A name that is refused takes no transfer's room.
    await tftpGet({ port: 69, to: server, from: calm, name: `none-${sent}` }).catch(() => {})
  }
}
process.stdout.write(`${sent}\n`, () => process.exit(0))
