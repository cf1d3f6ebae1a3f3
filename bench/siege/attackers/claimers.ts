/**
 * Peers that announce themselves, dial every agent, claim every piece and then send nothing, the right bytes but slowly,
 * or names of peers that are not there: `claimers.js TARGET silent|slow|pex`, one for each address.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { ids, inventedPeer, message, readMessages, requestedBytes } from '../../storm/peer-wire.js'
import { count, nextAddress, target, words } from '../client/attacker.js'
import { connect, keepOpen } from '../client/connections.js'
import { everything, extensions, handshake, inventedPeers, pexIdOf, pieceBytes } from '../client/peer.js'
import { announce, followAgents } from '../client/swarm.js'

const [kind = 'silent'] = words
const announceMs = 2000
/** All that a slow peer sends, to everybody. */
const slowBytesPerS = 262_144
const pexMs = 1000
/** Named at a time. */
const pexPeers = 200
const payload = openSync(target.payloadFile, 'r')
process.on('exit', () => closeSync(payload))

/** Since when a slow peer of this address may send again, milliseconds. */
const freeAtMs = new Map<string, number>()

function serve(socket: Socket, address: string): void {
  const shake = () =>
    socket.write(Buffer.concat([handshake(), extensions(), everything(), message(ids.unchoke)]))
  socket.on('error', () => socket.destroy())
  socket.on(
    'data',
    readMessages((body) => {
      const pexId = kind === 'pex' && body !== undefined ? pexIdOf(body) : undefined
      if (pexId !== undefined) namePeers(socket, pexId)
      const length = body === undefined ? 0 : requestedBytes(body)
      if (body === undefined || length === 0) return
      count('asked')
      if (kind === 'slow') sendSlowly(socket, address, body, length)
    }),
  )
  if (socket.connecting) socket.once('connect', shake)
  else shake()
}

function namePeers(socket: Socket, id: number): void {
  const timer = setInterval(() => {
    count('named_peers', pexPeers)
    socket.write(inventedPeers(id, pexPeers))
  }, pexMs)
  socket.once('close', () => clearInterval(timer))
}

function sendSlowly(socket: Socket, address: string, request: Buffer, length: number): void {
  const bytes = Buffer.alloc(length)
  readSync(payload, bytes, 0, length, request.readUInt32BE(1) * pieceBytes + request.readUInt32BE(5))
  const now = performance.now()
  const at = Math.max(now, freeAtMs.get(address) ?? 0) + (1000 * length) / slowBytesPerS
  freeAtMs.set(address, at)
  setTimeout(() => {
    count('sent_bytes', length)
    socket.write(message(ids.piece, request.subarray(1, 9), bytes))
  }, at - now)
}

for (const address of target.addresses) {
  const server = createServer((socket) => serve(socket, address))
  // Claimers of another kind may be at the same addresses.
  server.listen(0, address, () => {
    const peerId = inventedPeer()
    const { port } = server.address() as AddressInfo
    const tell = () => void announce(address, peerId, port, 0)
    tell()
    setInterval(tell, announceMs)
  })
}
keepOpen(followAgents(), target.addresses.length, (place) => {
  const address = nextAddress()
  const socket = connect(place, false, address)
  serve(socket, address)
  return socket
})
