/**
 * A UDP relay in front of a TFTP server that loses packets by chance from a seed, and counts them. Follows the
 * server's change of port (TID) as a NAT would.
 */
import { createSocket, type Socket } from 'node:dgram'
import { randomFrom } from '../fuzz.js'

/** A relay that runs. */
export interface LossyRelay {
  readonly port: number
  /** Packets that came in from either side, lost ones too. */
  readonly counts: { fromServer: number; fromClient: number; lost: number }
  close(): void
}

/** Starts a relay to `serverPort` on 127.0.0.1, which sees all clients at the address `from`. */
export async function lossyRelay(
  serverPort: number,
  loss: number,
  seed: number,
  from = '127.0.0.1',
): Promise<LossyRelay> {
  const random = randomFrom(seed)
  const counts = { fromServer: 0, fromClient: 0, lost: 0 }
  const sockets: Socket[] = []
  const clients = new Map<string, Socket>()
  const open = async (address = '127.0.0.1'): Promise<Socket> => {
    const socket = createSocket('udp4')
    sockets.push(socket)
    await new Promise<void>((resolve) => socket.bind(0, address, resolve))
    return socket
  }
  const passes = (direction: 'fromServer' | 'fromClient') => {
    counts[direction] += 1
    if (random(1_000_000) >= loss * 1_000_000) return true
    counts.lost += 1
    return false
  }
  const front = await open()
  const upstreamFor = async (address: string, port: number): Promise<Socket> => {
    const upstream = await open(from)
    const faces = new Map<number, Promise<Socket>>()
    upstream.on('message', (packet, server) => {
      let face = faces.get(server.port)
      if (face === undefined) {
        face = open().then((socket) => {
          socket.on('message', (answer) => {
            if (passes('fromClient')) upstream.send(answer, server.port, '127.0.0.1', () => {})
          })
          return socket
        })
        faces.set(server.port, face)
      }
      if (passes('fromServer')) void face.then((socket) => socket.send(packet, port, address, () => {}))
    })
    return upstream
  }
  front.on('message', (packet, { address, port }) => {
    if (!passes('fromClient')) return
    const key = `${address} ${port}`
    const known = clients.get(key)
    if (known !== undefined) known.send(packet, serverPort, '127.0.0.1')
    else
      void upstreamFor(address, port).then((upstream) => {
        clients.set(key, upstream)
        upstream.send(packet, serverPort, '127.0.0.1')
      })
  })
  return { port: front.address().port, counts, close: () => sockets.forEach((socket) => void socket.close()) }
}
