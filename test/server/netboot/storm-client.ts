/**
 * Many firmwares in one process: each asks by DISCOVER, takes the first offer, asks for it, and counts its answers. With
 * a file for comparison each also takes its address as its own and loads the boot program by TFTP from there.
 * Arguments: nodes, milliseconds over which they are switched on, our address, the file. Prints one line of JSON.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { type TftpGot, tftpGet } from '../../../bench/netboot/tftp-client.js'
import { optionCodes } from '../../../server/netboot/dhcp/message.js'
import { parsePacket } from '../../../server/netboot/dhcp/packet.js'
import { hangMs } from '../../support/limits.js'
import { pxe, say } from './dhcp/support.js'

const [nodes = 0, spreadMs = 0] = process.argv.slice(2, 4).map(Number)
const [address = '', programFile] = process.argv.slice(4)
const server = '10.77.0.1'
const bootFile = 'x64/snponly.efi'
const program = programFile === undefined ? undefined : readFileSync(programFile)
/** As EDK2 and iPXE wait at least. */
const againMs = 1_000

interface Node {
  readonly mac: string
  readonly asked: number
  address?: string
  hasLease?: boolean
  /** From its first question to its last answer. */
  seconds?: number
}

const fleet = new Map<number, Node>()
let retries = 0
const receiver = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 4 << 20 })
const sender = createSocket({ type: 'udp4', reuseAddr: true })
receiver.on('message', (bytes) => {
  const packet = parsePacket(bytes)
  if ('malformed' in packet || packet.op !== 2) return
  const node = fleet.get(packet.xid)
  const kind = packet.options.get(optionCodes.messageType)?.[0]
  if (node === undefined || node.hasLease) return
  const dotted = [24, 16, 8, 0].map((shift) => (packet.yiaddr >>> shift) & 255).join('.')
  if (kind === 2 && node.address === undefined) {
    node.address = dotted
    send(node, packet.xid)
  } else if (kind === 5 && dotted === node.address && packet.file === bootFile) {
    node.hasLease = true
    if (program === undefined) finish(node)
    else void load(node, dotted, program)
  }
})

function finish(node: Node): void {
  node.seconds = (performance.now() - node.asked) / 1000
  if (fleet.size === nodes && [...fleet.values()].every(({ seconds }) => seconds !== undefined)) report()
}

/** Sets addresses: one process for all of them, the kernel says when an address is there. */
const setter =
  program === undefined ? undefined : spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] })

async function load(node: Node, from: string, whole: Buffer): Promise<void> {
  setter?.stdin?.write(`address add ${from}/32 dev eth0\n`)
  while (!(await isOurs(from))) await new Promise((resolve) => setTimeout(resolve, 5))
  // As EDK2 asks: the size first, and then the file.
  const options = { tsize: 0, blksize: 1468, windowsize: 4 }
  const got: TftpGot = await tftpGet({ port: 69, to: server, from, name: bootFile, options })
  if (!got.bytes.equals(whole)) throw new Error(`${from} has another file`)
  finish(node)
}

function isOurs(candidate: string): Promise<boolean> {
  const socket = createSocket('udp4')
  return new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false))
    socket.bind(0, candidate, () => resolve(true))
  }).finally(() => socket.close())
}

function send(node: Node, xid: number): void {
  const said = { mac: node.mac, xid, options: pxe, isBroadcast: true }
  const bytes =
    node.address === undefined
      ? say('discover', said)
      : say('request', { ...said, wanted: node.address, server })
  sender.send(bytes, 67, '255.255.255.255')
  const before = node.address
  setTimeout(() => {
    if (node.hasLease || node.address !== before) return
    retries++
    send(node, xid)
  }, againMs)
}

function report(): void {
  const seconds = [...fleet.values()].flatMap((node) => node.seconds ?? []).sort((a, b) => a - b)
  const addresses = new Set([...fleet.values()].map((node) => node.address))
  const at = (share: number) => seconds[Math.min(seconds.length - 1, Math.floor(share * seconds.length))]
  const result = { done: seconds.length, addresses: addresses.size, retries, median: at(0.5), last: at(1) }
  setter?.stdin?.end()
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}

receiver.bind(68, '0.0.0.0', () => {
  sender.bind(68, address, () => {
    sender.setBroadcast(true)
    for (let i = 0; i < nodes; i++) {
      setTimeout(
        () => {
          const mac = `52:54:00:02:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`
          const node = { mac, asked: performance.now() }
          fleet.set(i + 1, node)
          send(node, i + 1)
        },
        (i * spreadMs) / nodes,
      )
    }
    setTimeout(report, hangMs)
  })
})
