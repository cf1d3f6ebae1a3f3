/**
 * Measures the origin's seeder with leechers on loopback that discard everything.
 *
 *   node dist/bench/seeder.js [stock | agents] [leechers] [megabytes]
 *
 * `stock`: each leecher fetches the whole file; `agents`: they fetch the pieces that they are granted and announce them, and a
 * HAVE from all stands for passing them on (as in a perfect swarm). Prints MB/s, CPU seconds
 * of the seeder per GB, its peak memory and the worst delay of its event loop.
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSeeder } from '../server/swarm/seeder.js'

const blockBytes = 16_384
const frameBytes = blockBytes + 13
const pipeline = 64
const pieceLength = 262_144

const mode = process.argv[2] === 'agents' ? 'agents' : 'stock'
const leechers = Number(process.argv[3] ?? 8)
const sizeBytes = Number(process.argv[4] ?? 130) * 1_048_576
const pieces = sizeBytes / pieceLength

const directory = await mkdtemp(join(tmpdir(), 'bootswarm-bench-'))
const path = join(directory, 'file')
await writeFile(path, Buffer.alloc(sizeBytes, 'bootswarm'))
const info = Buffer.concat([
  Buffer.from(`d6:lengthi${sizeBytes}e4:name4:file12:piece lengthi${pieceLength}e6:pieces${pieces * 20}:`),
  Buffer.alloc(pieces * 20, 'h'),
  Buffer.from('e'),
])
const infohash = createHash('sha1').update(info).digest('hex')
const torrent = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])

const seeder = createSeeder({ port: 0, rackOf: () => 'rack' })
const { port } = await seeder.start()
await seeder.add({ infohash, torrent, path, sizeBytes, pieceLength })

const sockets: Socket[] = []
const haves = Buffer.alloc(pieces)
let delayMs = 0
const watcher = setInterval(() => {
  delayMs = Math.max(delayMs, seeder.stats().eventLoopDelayMs)
}, 250)
const cpuBefore = cpuSeconds()
const began = performance.now()
const ended = await Promise.allSettled(
  Array.from({ length: leechers }, () => (mode === 'stock' ? stockLeecher() : agentLeecher())),
)
const seconds = (performance.now() - began) / 1_000
const bytes = ended.reduce((sum, one) => sum + (one.status === 'fulfilled' ? one.value : 0), 0)
const failed = ended.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []))
const cpu = cpuSeconds() - cpuBefore
await new Promise((resolve) => setTimeout(resolve, 600))
const { torrents } = seeder.stats()
console.log(
  JSON.stringify({
    mode,
    leechers,
    megabytes: Math.round(bytes / 1e6),
    seconds: Math.round(seconds * 100) / 100,
    megabytes_per_s: Math.round(bytes / 1e6 / seconds),
    cpu_s_per_gb: Math.round((cpu / (bytes / 1e9)) * 100) / 100,
    peak_mib: Math.round(peakKib() / 1024),
    event_loop_delay_ms: delayMs,
    failed,
    handouts: torrents[0]?.handouts,
    rescues: torrents[0]?.rescues,
  }),
)
clearInterval(watcher)
for (const socket of sockets) socket.destroy()
await seeder.stop()
await rm(directory, { recursive: true })

function greet(agent: boolean): Socket {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  sockets.push(socket)
  // `lost` has the reason.
  socket.on('error', () => {})
  const peerId = createHash('sha1').update(String(sockets.length)).digest()
  const hello = Buffer.from(agent ? '\0d2:bsi1e1:mdee' : '\0d1:mdee', 'latin1')
  socket.write(
    Buffer.concat([
      Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04', 'latin1'),
      Buffer.from(infohash, 'hex'),
      peerId,
      message(15),
      message(20, hello),
      message(2),
    ]),
  )
  return socket
}

/** Rejects when the connection ends too early: a result of the benchmark, not its end. */
function lost(socket: Socket, got: () => number): Promise<never> {
  return new Promise((_, reject) =>
    socket.once('close', () => reject(new Error(`closed after ${got()} bytes`))),
  )
}

function message(id: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length + 1)
  head[4] = id
  return Buffer.concat([head, body])
}

function numbers(id: number, ...values: number[]): Buffer {
  const body = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => {
    body.writeUInt32BE(value, i * 4)
  })
  return message(id, body)
}

/** Fetches the file once; the bytes are counted, not checked. Starts at the first unchoke. */
function stockLeecher(): Promise<number> {
  const socket = greet(false)
  const blocks = sizeBytes / blockBytes
  let asked = 0
  let got = 0
  let unchoked = false
  const whole = new Promise<number>((resolve) => {
    socket.on('data', (data) => {
      if (!unchoked) {
        // The unchoke is the last message before blocks flow.
        unchoked = data.includes(Buffer.from([0, 0, 0, 1, 1]))
        if (!unchoked) return
      } else {
        got += data.length
      }
      const requests: Buffer[] = []
      while (asked < blocks && asked - Math.floor(got / frameBytes) < pipeline) {
        const at = asked++ * blockBytes
        requests.push(numbers(6, Math.floor(at / pieceLength), at % pieceLength, blockBytes))
      }
      if (requests.length > 0) socket.write(Buffer.concat(requests))
      if (got >= blocks * frameBytes) resolve(blocks * blockBytes)
    })
  })
  return Promise.race([whole, lost(socket, () => got)])
}

/** Fetches what it is granted; when all pieces are out, every leecher is done. */
function agentLeecher(): Promise<number> {
  const socket = greet(true)
  let buffer = Buffer.alloc(0)
  let handshaken = false
  let got = 0
  const left = new Map<number, number>()
  const whole = new Promise<number>((resolve) => {
    const finish = (): void => {
      if (socket.destroyed) return
      if (haves.every((have) => have === 1)) resolve(got)
      else setTimeout(finish, 5)
    }
    finish()
    socket.on('data', (data) => {
      buffer = buffer.length === 0 ? data : Buffer.concat([buffer, data])
      if (!handshaken && buffer.length >= 68) {
        handshaken = true
        buffer = buffer.subarray(68)
      }
      while (handshaken && buffer.length >= 5) {
        const length = buffer.readUInt32BE(0)
        if (buffer.length < 4 + length) break
        const id = length > 0 ? buffer[4] : undefined
        const piece = length > 4 ? buffer.readUInt32BE(5) : 0
        if (id === 17) {
          left.set(piece, pieceLength)
          const requests: Buffer[] = []
          for (let at = 0; at < pieceLength; at += blockBytes)
            requests.push(numbers(6, piece, at, blockBytes))
          socket.write(Buffer.concat(requests))
        } else if (id === 7) {
          got += length - 9
          const more = (left.get(piece) ?? 0) - (length - 9)
          left.set(piece, more)
          if (more === 0) {
            haves[piece] = 1
            const have = numbers(4, piece)
            for (const each of sockets) each.write(have)
          }
        }
        buffer = buffer.subarray(4 + length)
      }
    })
  })
  return Promise.race([whole, lost(socket, () => got)])
}

/** User and system time of the seeder's process so far. */
function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${seeder.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function peakKib(): number {
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${seeder.pid}/status`, 'utf8'))?.[1])
}
