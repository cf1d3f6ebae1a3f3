/**
 * Closes TLS connections over which records come that carry no data: key updates (RFC 8446, 4.6.3). OpenSSL takes any number of
 * them, each costs 20 µs, and Node tells nobody of them: they would wait for no turn. Until they are noticed, what is read at once of
 * a connection is what the system holds of it (listener.ts).
 */
import type { Server, Socket } from 'node:net'
import type { Connections } from './connections.js'

/** Bytes of a connection beyond twice its data: 150 key updates. Other records carry more than their frame of 22 bytes. */
const emptyBytesMax = 4 * 1024

/** Looked at so often at least, milliseconds, and for a fiftieth of the time at most. */
const lookEveryMs = 50
const restTimes = 49

/** A connection after its handshake. */
interface Talk {
  readonly below: Socket
  /** What had come over it before. */
  readonly beforeBytes: number
}

/** Call it before the server listens. */
export function refuseEmptyRecords(server: Server, connections: Connections, nowMs: () => number): void {
  const talks = new Map<Socket, Talk>()
  let isDue = false
  const look = () => {
    const beganMs = nowMs()
    for (const [socket, { below, beforeBytes }] of talks) {
      const emptyBytes = below.bytesRead - beforeBytes - 2 * socket.bytesRead
      if (emptyBytes > emptyBytesMax) connections.reset(socket)
    }
    isDue = false
    lookLater(Math.max(lookEveryMs, restTimes * (nowMs() - beganMs)))
  }
  const lookLater = (ms: number) => {
    if (isDue || talks.size === 0) return
    isDue = true
    setTimeout(look, ms).unref()
  }
  server.on('secureConnection', (socket: Socket) => {
    const below = connections.below(socket)
    if (below === undefined) return
    talks.set(socket, { below, beforeBytes: below.bytesRead })
    socket.once('close', () => talks.delete(socket))
    lookLater(lookEveryMs)
  })
}
