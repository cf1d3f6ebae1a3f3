/**
 * One machine on its way through network boot, as far as it is told to go: its firmware's DHCP, TFTP, iPXE's requests.
 * Argument: {@link MachineScript} as JSON. Ends when it has done all.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { ackPacket, readRequest, tftpGet } from '../../../bench/netboot/tftp-client.js'
import { optionCodes } from '../../../server/netboot/dhcp/message.js'
import { pxe, type Said, say } from './dhcp/support.js'

/** What the machine does, one after the other. */
export interface MachineScript {
  readonly mac: string
  /** Of its card already: it is the source of all that it sends. */
  readonly address: string
  readonly http: number
  readonly steps: readonly MachineStep[]
}

/** One thing that a machine does. */
export type MachineStep =
  | 'discover'
  | 'discover as an unknown architecture'
  | 'take an address from 10.77.0.3'
  | 'ask the boot server'
  | 'ask for the size of the program'
  | 'load a part of the program'
  | 'load the program'
  | 'load a program that is not there'
  | 'ask for a script'
  | 'load a part of the kernel'
  | 'load the kernel'
  | 'load stage 1'

const server = '10.77.0.1'
const program = 'x64/snponly.efi'
const unknownArch: [number, Buffer][] = [
  [optionCodes.vendorClass, Buffer.from('PXEClient:Arch:00099:UNDI:003016')],
  [optionCodes.architecture, Buffer.from([0, 99])],
]
const { mac, address, http, steps } = JSON.parse(process.argv[2] ?? '') as MachineScript
let files: readonly string[] = []

const actions: Record<MachineStep, () => Promise<unknown>> = {
  discover: () => dhcp('discover', { options: pxe }, 67, true),
  'discover as an unknown architecture': () => dhcp('discover', { options: unknownArch }, 67, false),
  'take an address from 10.77.0.3': () =>
    dhcp('request', { options: pxe, wanted: address, server: '10.77.0.3' }, 67, false),
  'ask the boot server': () => dhcp('request', { options: pxe, ciaddr: address }, 4011, true),
  'ask for the size of the program': () => transfer(0),
  'load a part of the program': () => transfer(3),
  'load the program': () => tftpGet({ port: 69, to: server, from: address, name: program, options }),
  'load a program that is not there': () =>
    tftpGet({ port: 69, to: server, from: address, name: 'pxelinux.0' }).catch(() => {}),
  'ask for a script': async () => {
    const script = await text(`/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`)
    files = [...script.matchAll(/http:\/\/[^/]+(\/v1\/ipxe\/file\/\S+)/g)].map(([, path = '']) => path)
  },
  'load a part of the kernel': async () => (await get(files[0])).destroy(),
  'load the kernel': () => text(files[0]),
  'load stage 1': () => text(files[1]),
}

const options = { tsize: 0, blksize: 1468 }

/** Sends a message, and waits for an answer if there is one: not all are answered. */
async function dhcp(
  type: 'discover' | 'request',
  said: Said,
  port: number,
  isAnswered: boolean,
): Promise<void> {
  const xid = Math.floor(Math.random() * 2 ** 31)
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const receiver = createSocket({ type: 'udp4', reuseAddr: true })
  await bound(receiver, 68, '0.0.0.0')
  await bound(socket, port === 67 ? 68 : 0, address)
  socket.setBroadcast(true)
  const bytes = say(type, { mac, xid, isBroadcast: true, ...said })
  const answer = Promise.race([received(receiver, xid), received(socket, xid)])
  const again = () => socket.send(bytes, port, port === 67 ? '255.255.255.255' : server)
  again()
  const timer = setInterval(again, 1000)
  if (isAnswered) await answer
  // What is not answered has left the machine by then.
  else await new Promise((resolve) => socket.send(bytes, port, '255.255.255.255', resolve))
  clearInterval(timer)
  socket.close()
  receiver.close()
}

function bound(socket: Socket, port: number, host: string): Promise<void> {
  return new Promise((resolve) => socket.bind(port, host, resolve))
}

function received(socket: Socket, xid: number): Promise<void> {
  return new Promise((resolve) => {
    socket.on('message', (bytes) => {
      if (bytes.length > 8 && bytes.readUInt8(0) === 2 && bytes.readUInt32BE(4) === xid) resolve()
    })
  })
}

/** A transfer that ends after so many blocks: by an error after the size, else the port is closed. */
async function transfer(blocks: number): Promise<void> {
  const socket = createSocket('udp4')
  await bound(socket, 0, address)
  socket.send(readRequest(program, { tsize: 0 }), 69, server)
  for (let block = 0; ; block += 1) {
    const [, from] = (await once(socket, 'message')) as [Buffer, { port: number }]
    const isLast = block === blocks
    const packet = blocks === 0 ? Buffer.from('\0\x05\0\0ok\0', 'latin1') : ackPacket(block)
    await new Promise((resolve) => socket.send(packet, from.port, server, resolve))
    if (isLast) break
  }
  socket.close()
}

function get(path = ''): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: server, port: http, path, localAddress: address, agent: false }, resolve)
    asked.on('error', reject)
    asked.end()
  })
}

async function text(path?: string): Promise<string> {
  const answer = await get(path)
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} for ${path}`)
  const parts: Buffer[] = []
  for await (const part of answer) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('latin1')
}

for (const step of steps) await actions[step]()
process.exit(0)
