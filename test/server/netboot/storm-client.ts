/**
 * Many firmwares in one process: each asks by DISCOVER, takes the first offer, asks for it, and counts its answers.
 * Arguments: nodes, milliseconds over which they are switched on, our address. Prints one line of JSON.
 */
import { createSocket } from 'node:dgram'
import { optionCodes } from '../../../server/netboot/dhcp/message.js'
import { parsePacket } from '../../../server/netboot/dhcp/packet.js'
import { pxe, say } from './dhcp/support.js'

const [nodes = 0, spreadMs = 0] = process.argv.slice(2, 4).map(Number)
const address = process.argv[4] ?? ''
/** As EDK2 and iPXE wait at least. */
const againMs = 1_000
const endMs = 30_000

interface Node {
  readonly mac: string
  readonly asked: number
  address?: string
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
  if (node === undefined || node.seconds !== undefined) return
  const dotted = [24, 16, 8, 0].map((shift) => (packet.yiaddr >>> shift) & 255).join('.')
  if (kind === 2 && node.address === undefined) {
    node.address = dotted
    send(node, packet.xid)
  } else if (kind === 5 && dotted === node.address && packet.file === 'x64/snponly.efi') {
    node.seconds = (performance.now() - node.asked) / 1000
    if (fleet.size === nodes && [...fleet.values()].every(({ seconds }) => seconds !== undefined)) report()
  }
})

function send(node: Node, xid: number): void {
  const said = { mac: node.mac, xid, options: pxe, isBroadcast: true }
  const bytes =
    node.address === undefined
      ? say('discover', said)
      : say('request', { ...said, wanted: node.address, server: '10.77.0.1' })
  sender.send(bytes, 67, '255.255.255.255')
  const before = node.address
  setTimeout(() => {
    if (node.seconds !== undefined || node.address !== before) return
    retries++
    send(node, xid)
  }, againMs)
}

function report(): void {
  const seconds = [...fleet.values()].flatMap((node) => node.seconds ?? []).sort((a, b) => a - b)
  const addresses = new Set([...fleet.values()].map((node) => node.address))
  const at = (share: number) => seconds[Math.min(seconds.length - 1, Math.floor(share * seconds.length))]
  const result = { done: seconds.length, addresses: addresses.size, retries, median: at(0.5), last: at(1) }
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
    setTimeout(report, endMs)
  })
})
