/** A BitTorrent peer that says that it has everything and behaves as badly as a test wants. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** What it does when it is asked for a block. */
export type Misdeed =
  | 'wrong bytes'
  | 'stall in mid-piece'
  | 'disconnect in mid-piece'
  | 'garbage'
  | 'huge message'
  | 'silence'

/** Listens on a free port of `address`; counts the requests that it got. */
export async function startEvilPeer(
  t: TestContext,
  misdeed: Misdeed,
  piecesOf: (infohash: string) => number,
  address = '127.0.0.1',
): Promise<{ port: number; requests: () => number; connections: () => number }> {
  let requests = 0
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    let data = Buffer.alloc(0)
    let shaken = false
    socket.on('data', (chunk: Buffer) => {
      data = Buffer.concat([data, chunk])
      if (!shaken && data.length >= 68) {
        shaken = true
        const infohash = data.subarray(28, 48)
        socket.write(
          Buffer.concat([
            Buffer.from('\x13BitTorrent protocol'),
            Buffer.alloc(8),
            infohash,
            Buffer.from('-EV0001-evil-evil-ev'),
          ]),
        )
        const pieces = piecesOf(infohash.toString('hex'))
        const bitfield = Buffer.alloc(Math.ceil(pieces / 8))
        for (let piece = 0; piece < pieces; piece += 1)
          bitfield[piece >> 3] = (bitfield[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
        socket.write(Buffer.concat([header(1 + bitfield.length), Buffer.from([5]), bitfield]))
        socket.write(Buffer.from([0, 0, 0, 1, 1]))
        data = data.subarray(68)
      }
      while (shaken && data.length >= 4 && data.length >= 4 + data.readUInt32BE(0)) {
        const message = data.subarray(4, 4 + data.readUInt32BE(0))
        data = data.subarray(4 + message.length)
        if (message[0] !== 6) continue
        requests += 1
        answer(socket, message, misdeed)
      }
    })
  })
  server.listen(0, address)
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    connections: () => connections,
  }
}

function answer(socket: Socket, request: Buffer, misdeed: Misdeed): void {
  if (misdeed === 'silence') return
  const length = request.readUInt32BE(9)
  const head = Buffer.concat([header(9 + length), Buffer.from([7]), request.subarray(1, 9)])
  if (misdeed === 'wrong bytes') socket.write(Buffer.concat([head, Buffer.alloc(length, 0xee)]))
  else if (misdeed === 'garbage') socket.write(Buffer.alloc(4096, 0xff))
  else if (misdeed === 'huge message') socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0]))
  else {
    socket.write(Buffer.concat([head, Buffer.alloc(length >> 1, 0x11)]))
    if (misdeed === 'disconnect in mid-piece') socket.end()
  }
}

function header(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}
