/** An honest BitTorrent peer (BEP 3) that has a whole file and sends it at a low rate. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** What it has, and how fast it gives it to each of its peers. */
export interface SlowFile {
  readonly infohash: string
  readonly bytes: Buffer
  readonly bytesPerSecond: number
}

const PIECE_LENGTH = 65_536
const HANDSHAKE_BYTES = 68

/** Listens on a free port of this machine. */
export async function startSlowPeer(t: TestContext, file: SlowFile): Promise<{ port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    serve(socket, file)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port }
}

function serve(socket: Socket, file: SlowFile): void {
  let data = Buffer.alloc(0)
  let shaken = false
  let freeAtMs = 0
  socket.on('data', (chunk: Buffer) => {
    data = Buffer.concat([data, chunk])
    if (!shaken && data.length >= HANDSHAKE_BYTES) {
      shaken = true
      if (data.subarray(28, 48).toString('hex') !== file.infohash) socket.destroy()
      socket.write(greeting(file))
      data = data.subarray(HANDSHAKE_BYTES)
    }
    while (shaken && data.length >= 4 && data.length >= 4 + data.readUInt32BE(0)) {
      const request = data.subarray(4, 4 + data.readUInt32BE(0))
      data = data.subarray(4 + request.length)
      if (request[0] !== 6) continue
      const nowMs = performance.now()
      freeAtMs = Math.max(nowMs, freeAtMs) + (1000 * request.readUInt32BE(9)) / file.bytesPerSecond
      setTimeout(() => socket.destroyed || socket.write(block(file, request)), freeAtMs - nowMs).unref()
    }
  })
}

/** Handshake, all pieces, and that it may be asked. */
function greeting({ infohash, bytes }: SlowFile): Buffer {
  const pieces = Math.ceil(bytes.length / PIECE_LENGTH)
  const bitfield = Buffer.alloc(Math.ceil(pieces / 8))
  for (let piece = 0; piece < pieces; piece += 1)
    bitfield[piece >> 3] = (bitfield[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
  return Buffer.concat([
    Buffer.from('\x13BitTorrent protocol'),
    Buffer.alloc(8),
    Buffer.from(infohash, 'hex'),
    Buffer.from('-SL0001-slow-slow-sl'),
    message(5, bitfield),
    message(1, Buffer.alloc(0)),
  ])
}

function block({ bytes }: SlowFile, request: Buffer): Buffer {
  const begin = request.readUInt32BE(1) * PIECE_LENGTH + request.readUInt32BE(5)
  const payload = bytes.subarray(begin, begin + request.readUInt32BE(9))
  return message(7, Buffer.concat([request.subarray(1, 9), payload]))
}

function message(id: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + payload.length)
  head[4] = id
  return Buffer.concat([head, payload])
}
