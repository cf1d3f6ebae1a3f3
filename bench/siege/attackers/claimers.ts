/**
 * Peers that announce themselves, dial every agent, claim every piece and then send nothing, the right bytes but slowly,
 * or names of peers that are not there: `claimers.js TARGET silent|slow|pex`, one for each address.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { count, nextAddress, target, words } from '../client/attacker.js'
import { connect, keepOpen } from '../client/connections.js'
import {
  everything,
  extensions,
  handshake,
  ids,
  inventedPeers,
  message,
  pexIdOf,
  pieceBytes,
  readMessages,
} from '../client/peer-wire.js'
import { announce, claimPort, followAgents, inventedPeer } from '../client/swarm.js'

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
      if (body?.[0] !== ids.request || body.length !== 13) return
      count('asked')
      if (kind === 'slow') sendSlowly(socket, address, body)
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

function sendSlowly(socket: Socket, address: string, request: Buffer): void {
  const length = Math.min(request.readUInt32BE(9), 131_072)
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
  createServer((socket) => serve(socket, address)).listen(claimPort, address)
  const peerId = inventedPeer()
  const tell = () => void announce(address, peerId, claimPort, 0)
  tell()
  setInterval(tell, announceMs)
}
keepOpen(followAgents(), target.addresses.length, (place) => {
  const address = nextAddress()
  const socket = connect(place, false, address)
  serve(socket, address)
  return socket
})
