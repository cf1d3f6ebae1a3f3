/**
 * The door in front of a TLS server: connections wait there until it is their turn to begin the handshake
 * (door-window.ts). Sockets and timers, no decisions.
 *
 * Whoever has not said a word does not stand in the queue. Once the handshake is over, or has failed, or takes too long,
 * the door has nothing more to do with a connection.
 */
import type { Server, Socket } from 'node:net'
import { DoorWindow } from './door-window.js'

/** More than this is no greeting, bytes. Browsers with the longest keys send two thousand. */
const greetingBytesMax = 8 * 1024

/** What a door is made of. */
export interface DoorOptions {
  /** A handshake that takes longer no longer keeps others waiting, milliseconds. */
  readonly overdueMs: number
  /** How long a client may say nothing, milliseconds. */
  readonly silentMs: number
  readonly nowMs: () => number
}

/** A door that stands. */
export interface Door {
  /** Turns away who waits or is in the middle of a handshake, and all who come. */
  close(): void
}

/** Puts a door in front of a TLS server that does not listen yet. */
export function putDoor(server: Server, { overdueMs, silentMs, nowMs }: DoorOptions): Door {
  const window = new DoorWindow<Socket>(overdueMs)
  const sockets = new Set<Socket>()
  /** Those inside, by what the socket below has in common with the TLS socket above it. */
  const handshakes = new Map<string, Socket>()
  const begin = server.listeners('connection') as ((socket: Socket) => void)[]
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  const look = () => {
    clearTimeout(timer)
    if (isClosed) return
    const now = nowMs()
    for (const socket of window.next(now)) {
      // It is let go as soon as it says that it is closed.
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
    let isGreeted = false
    socket.on('readable', () => {
      // At the end of what the client says there is nothing to read.
      if (socket.readableLength === 0 || socket.readableLength > greetingBytesMax) socket.destroy()
      else if (!isGreeted) {
        isGreeted = true
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

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
