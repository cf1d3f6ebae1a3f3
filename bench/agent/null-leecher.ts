/**
 * A leecher that discards what it receives: the cheap end of an upload measurement, the same for every
 * seeder. Run as `node null-leecher.js PORT INFOHASH SIZE PIECE_LENGTH CONNECTIONS`; prints one line of
 * JSON, `{"seconds":..,"bytes":..}`, when every connection has received the whole file once. When one has not, it prints why
 * and ends with 1.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'

const blockBytes = 16384
/** Requests of one connection under way: 1 MiB, enough for loopback. */
const pipeline = 64

/** One connection's whole download (BEP 3, nothing else). Resolves with the payload bytes. */
function leech(port: number, infohash: Buffer, sizeBytes: number, pieceLength: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let buffered: Buffer[] = []
    let bufferedBytes = 0
    let skip = 0
    let received = 0
    let requested = 0
    let shaken = false
    const reserved = Buffer.alloc(8)
    const peerId = Buffer.concat([Buffer.from('-NL0001-'), randomBytes(12)])
    socket.on('connect', () => {
      socket.write(Buffer.concat([Buffer.from('\x13BitTorrent protocol'), reserved, infohash, peerId]))
    })
    const request = () => {
      const out: Buffer[] = []
      while (requested < sizeBytes && requested - received < pipeline * blockBytes) {
        const length = Math.min(blockBytes, sizeBytes - requested)
        const message = Buffer.alloc(17)
        message.writeUInt32BE(13, 0)
        message[4] = 6
        message.writeUInt32BE(Math.floor(requested / pieceLength), 5)
        message.writeUInt32BE(requested % pieceLength, 9)
        message.writeUInt32BE(length, 13)
        out.push(message)
        requested += length
      }
      if (out.length > 0) socket.write(Buffer.concat(out))
    }
    const take = (bytes: Buffer) => {
      if (skip > 0) {
        const part = Math.min(skip, bytes.length)
        skip -= part
        received += part
        bytes = bytes.subarray(part)
      }
      if (bytes.length > 0) {
        buffered.push(bytes)
        bufferedBytes += bytes.length
      }
      parse()
      if (received > 0) request()
      if (received >= sizeBytes) {
        socket.destroy()
        resolve(received)
      }
    }
    const parse = () => {
      let data = buffered.length === 1 ? (buffered[0] as Buffer) : Buffer.concat(buffered, bufferedBytes)
      if (!shaken && data.length >= 68) {
        shaken = true
        // Not before: aria2 disconnects peers that send anything but the handshake before its own is sent.
        socket.write(Buffer.from([0, 0, 0, 1, 2]))
        data = data.subarray(68)
      }
      while (shaken && data.length >= 4) {
        const length = data.readUInt32BE(0)
        if (length > 0 && data.length >= 5 && data[4] === 7) {
          if (data.length < 13) break
          const payload = data.subarray(13)
          const whole = length - 9
          const part = Math.min(whole, payload.length)
          received += part
          skip = whole - part
          data = payload.subarray(part)
          if (skip > 0) break
          continue
        }
        if (data.length < 4 + length) break
        // BEP 3: a choke forgets all requests; after the next unchoke they are made again.
        if (length > 0 && data[4] === 0) requested = received
        if (length > 0 && data[4] === 1) request()
        data = data.subarray(4 + length)
      }
      buffered = data.length > 0 ? [data] : []
      bufferedBytes = data.length
    }
    socket.on('data', take)
    socket.on('error', reject)
    socket.on('close', () => {
      if (received < sizeBytes) reject(new Error(`closed after ${received} of ${sizeBytes} bytes`))
    })
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port, infohash, size, pieceLength, connections] = process.argv.slice(2)
  const started = performance.now()
  const all = Array.from({ length: Number(connections) }, () =>
    leech(Number(port), Buffer.from(infohash ?? '', 'hex'), Number(size), Number(pieceLength)),
  )
  const ended = await Promise.allSettled(all)
  const why = ended.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []))
  if (why.length > 0) {
    process.stdout.write(`${why.length} of ${ended.length} leechers: ${why.join('; ')}\n`)
    process.exitCode = 1
  } else {
    const bytes = ended.reduce((sum, one) => sum + (one.status === 'fulfilled' ? one.value : 0), 0)
    process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - started) / 1000, bytes })}\n`)
  }
}
