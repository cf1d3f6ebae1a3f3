/**
 * A peer that joins like any agent, claims to have everything, and sends wrong bytes, or nothing:
 * `liar.js TRACKER INFOHASH BYTES ADDRESS wrong|silent`. It prints a line when it listens and one for each request.
 */

import { get } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { choosePieceLength, pieceCount } from '../../src/metainfo.js'

const [tracker = '', infohashHex = '', bytes = '0', address = '', kind = 'wrong'] = process.argv.slice(2)
const infohash = Buffer.from(infohashHex, 'hex')
const pieces = pieceCount(Number(bytes), choosePieceLength(Number(bytes)))
const peerId = Buffer.from(`-BW0001-liar${address.replaceAll('.', '').padEnd(8, '0').slice(-8)}`)
const PORT = 6999
const UNCHOKE = 1
const BITFIELD = 5
const REQUEST = 6
const PIECE = 7
/** An agent asks for 16 KiB; longer requests are invalid. */
const BLOCK_BYTES_MAX = 131_072

function message(id: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + payload.length)
  head[4] = id
  return Buffer.concat([head, payload])
}

function serve(socket: Socket): void {
  let data = Buffer.alloc(0)
  let shaken = false
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    data = Buffer.concat([data, chunk])
    if (!shaken && data.length >= 68) {
      shaken = true
      data = data.subarray(68)
      const reserved = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])
      const hello = [Buffer.from('\x13BitTorrent protocol'), reserved, infohash, peerId]
      const all = Buffer.alloc(Math.ceil(pieces / 8))
      for (let piece = 0; piece < pieces; piece += 1) {
        all[piece >> 3] = (all[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
      }
      socket.write(Buffer.concat([...hello, message(BITFIELD, all), message(UNCHOKE, Buffer.alloc(0))]))
    }
    while (shaken && data.length >= 4 && data.length >= 4 + data.readUInt32BE(0)) {
      const body = data.subarray(4, 4 + data.readUInt32BE(0))
      data = data.subarray(4 + body.length)
      const length = body[0] === REQUEST && body.length === 13 ? body.readUInt32BE(9) : 0
      if (length === 0 || length > BLOCK_BYTES_MAX) continue
      if (kind === 'wrong') {
        socket.write(message(PIECE, Buffer.concat([body.subarray(1, 9), Buffer.alloc(length, 0xee)])))
      }
      process.stdout.write('\n')
    }
  })
}

function announce(): void {
  const escaped = (raw: Buffer) => [...raw].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  const who = `info_hash=${escaped(infohash)}&peer_id=${escaped(peerId)}&port=${PORT}`
  const request = get(`${tracker}?${who}&uploaded=0&downloaded=0&left=0&compact=1&numwant=0`, (response) =>
    response.resume(),
  )
  request.on('error', () => {})
}

createServer(serve).listen(PORT, address, () => {
  announce()
  setInterval(announce, 3000)
  process.stdout.write('\n')
})
