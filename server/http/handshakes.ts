/**
 * Queues connections to a TLS server until it is their turn to begin the handshake (handshake-window.ts). Sockets and
 * timers, no decisions.
 *
 * Clients that have sent nothing are not in the queue. Once the handshake is over, has failed or takes too long, a
 * connection is no longer looked at here.
 */
import type { Server, Socket } from 'node:net'
import { HandshakeWindow } from './handshake-window.js'
import { endsOf } from './socket-ends.js'

/** More than this is no ClientHello, bytes. Browsers with the longest keys send two thousand. */
const clientHelloBytesMax = 8 * 1024

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

/** Queues the handshakes of a TLS server that does not listen yet. */
export function queueHandshakes(
  server: Server,
  { overdueMs, silentMs, nowMs }: HandshakeOptions,
): HandshakeQueue {
  const window = new HandshakeWindow<Socket>(overdueMs)
  const sockets = new Set<Socket>()
  /** Running handshakes, by what the socket below has in common with the TLS socket above it. */
  const handshakes = new Map<string, Socket>()
  const begin = server.listeners('connection') as ((socket: Socket) => void)[]
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  const look = () => {
    clearTimeout(timer)
    if (isClosed) return
    const now = nowMs()
    for (const socket of window.next(now)) {
      // Forgotten on its `close` event.
      if (socket.destroyed) continue
      socket.removeAllListeners('readable')
      handshakes.set(endsOf(socket), socket)
      for (const listener of begin) listener.call(server, socket)
    }
    const { lookAtMs } = window
    timer = lookAtMs === undefined ? undefined : setTimeout(look, lookAtMs - now + 1).unref()
  }

  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    if (isClosed) return socket.destroy()
    const { remoteAddress = '' } = socket
    const ends = endsOf(socket)
    const gone = () => {
      sockets.delete(socket)
      handshakes.delete(ends)
      window.leave(socket, remoteAddress)
      look()
    }
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', gone)
    socket.setTimeout(silentMs, () => socket.destroy())
    let hasSent = false
    socket.on('readable', () => {
      // The client has sent FIN: there is nothing to read.
      if (socket.readableLength === 0 || socket.readableLength > clientHelloBytesMax) socket.destroy()
      else if (!hasSent) {
        hasSent = true
        socket.setTimeout(0)
        window.arrive(socket, remoteAddress)
        look()
      }
    })
  })
  server.on('secureConnection', (secure: Socket) => {
    const ends = endsOf(secure)
    const socket = handshakes.get(ends)
    if (socket === undefined) return
    handshakes.delete(ends)
    sockets.delete(socket)
    window.finish(socket, nowMs())
    look()
  })
  return {
    close: () => {
      isClosed = true
      clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
    },
  }
}
