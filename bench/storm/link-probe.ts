/**
 * One TCP transfer through one link, run inside two namespaces by the storm's check of its own shaping:
 * `link-probe.js send ADDRESS PORT SECONDS` sends as fast as it can to whoever connects; `link-probe.js receive
 * ADDRESS PORT SECONDS` prints the bytes a second that came in after the first fifth (queues fill, windows grow).
 */
import { connect, createServer } from 'node:net'

const [mode, address = '', port = '', seconds = ''] = process.argv.slice(2)
const durationMs = Number(seconds) * 1000

if (mode === 'send') {
  const chunk = Buffer.alloc(65_536, 0x5a)
  const server = createServer((socket) => {
    const fill = () => {
      while (socket.write(chunk));
    }
    socket.on('drain', fill)
    socket.on('error', () => socket.destroy())
    fill()
  })
  server.listen(Number(port), address, () => process.stdout.write('ready\n'))
} else {
  const socket = connect(Number(port), address)
  let bytes = 0
  let from: { atMs: number; bytes: number } | undefined
  let startMs = 0
  socket.on('data', (chunk) => {
    bytes += chunk.length
    const nowMs = performance.now()
    if (startMs === 0) startMs = nowMs
    if (!from && nowMs - startMs >= durationMs / 5) from = { atMs: nowMs, bytes }
    if (from && nowMs - startMs >= durationMs) {
      process.stdout.write(`${((bytes - from.bytes) * 1000) / (nowMs - from.atMs)}\n`)
      socket.destroy()
    }
  })
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
}
