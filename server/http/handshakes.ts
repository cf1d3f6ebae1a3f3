/**
 * Queues connections to a TLS server until it is their turn to begin the handshake (handshake-window.ts). Sockets and
 * timers, no decisions.
 *
 * Clients that have sent nothing are not in the queue. Once the handshake is over, has failed or takes too long, a
 * connection is no longer looked at here.
 */
import type { Server, Socket } from 'node:net'
import { addressOwner } from '../../src/net.js'
import { HandshakeWindow } from './handshake-window.js'
import { endsOf } from './socket-ends.js'

/** More than this is no ClientHello, bytes. Browsers with the longest keys send two thousand. */
const clientHelloBytesMax = 8 * 1024

const nothing = Buffer.alloc(0)

/** How the queue behaves. */
export interface HandshakeOptions {
  /** A handshake that takes longer no longer keeps others waiting, milliseconds. */
  readonly overdueMs: number
  /** A client that sends nothing for this long is disconnected, milliseconds. */
  readonly silentMs: number
  readonly nowMs: () => number
}

/** The queue of a running server. */
export interface HandshakeQueue {
  /** Disconnects clients that wait or are in the middle of a handshake, and all that come later. */
  close(): void
}

/** A client that has not finished its handshake. */
interface Client {
  readonly socket: Socket
  /** What it has sent before its turn. */
  hello: Buffer
  readonly ended: () => void
}

/** Queues the handshakes of a TLS server that does not listen yet. */
export function queueHandshakes(
  server: Server,
  { overdueMs, silentMs, nowMs }: HandshakeOptions,
): HandshakeQueue {
  const window = new HandshakeWindow<Client>(overdueMs)
  const clients = new Map<Socket, Client>()
  /** Running handshakes, by what the socket below has in common with the TLS socket above it. */
  const handshakes = new Map<string, Client>()
  const begin = server.listeners('connection') as ((socket: Socket) => void)[]
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  const look = () => {
    clearTimeout(timer)
    if (isClosed) return
    const now = nowMs()
    for (const client of window.next(now)) {
      const { socket } = client
      // Forgotten on its `close` event.
      if (socket.destroyed) continue
      socket.removeAllListeners('readable').removeListener('end', client.ended)
      socket.unshift(client.hello)
      handshakes.set(endsOf(socket), client)
      for (const listener of begin) listener.call(server, socket)
    }
    const { lookAtMs } = window
    timer = lookAtMs === undefined ? undefined : setTimeout(look, lookAtMs - now + 1).unref()
  }

  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    if (isClosed) return socket.destroy()
    const client = { socket, hello: nothing, ended: () => socket.destroy() }
    const address = addressOwner(socket.remoteAddress ?? '')
    const ends = endsOf(socket)
    clients.set(socket, client)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clients.delete(socket)
      handshakes.delete(ends)
      window.leave(client, address)
      look()
    })
    socket.setTimeout(silentMs, () => socket.destroy())
    // One that has closed its side has no use for a turn.
    socket.on('end', client.ended)
    socket.on('readable', () => {
      const isFirst = client.hello.length === 0
      client.hello = Buffer.concat([client.hello, socket.read() ?? nothing])
      if (client.hello.length > clientHelloBytesMax) socket.destroy()
      else if (isFirst && client.hello.length > 0) {
        socket.setTimeout(0)
        window.arrive(client, address)
        look()
      }
    })
  })
  server.on('secureConnection', (secure: Socket) => {
    const ends = endsOf(secure)
    const client = handshakes.get(ends)
    if (client === undefined) return
    handshakes.delete(ends)
    clients.delete(client.socket)
    window.finish(client, nowMs())
    look()
  })
  return {
    close: () => {
      isClosed = true
      clearTimeout(timer)
      for (const socket of clients.keys()) socket.destroy()
    },
  }
}
