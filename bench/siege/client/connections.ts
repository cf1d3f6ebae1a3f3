/** TCP connections by the hundred: opened at a bounded rate, and again when they are closed. */
import { createConnection, type Socket } from 'node:net'
import { count, most, nextAddress, target } from './attacker.js'

/** New connections a second: more than any server accepts by hand, and no SYN flood. */
const opensPerS = 2000
const tickMs = 20

/** Where connections lead. */
export interface Place {
  readonly host: string
  readonly port: number
}

/** The server's port. */
export function atServer(port: number): Place {
  return { host: target.server, port }
}

/** One connection from one of our addresses; it never fails, it closes. `paused`: nothing is ever read. */
export function connect(place: Place, paused = false, localAddress = nextAddress()): Socket {
  const socket = createConnection({ ...place, localAddress, noDelay: true })
  if (paused) socket.pause()
  socket.on('error', () => socket.destroy())
  socket.once('connect', () => count('connected'))
  return socket
}

/** Keeps so many open to each place, for ever. */
export function keepOpen(places: () => readonly Place[], each: number, open: (place: Place) => Socket): void {
  const held = new Map<string, Set<Socket>>()
  setInterval(() => {
    let left = (opensPerS * tickMs) / 1000
    let now = 0
    for (const place of places()) {
      const key = `${place.host} ${place.port}`
      const sockets = held.get(key) ?? new Set()
      held.set(key, sockets)
      for (; sockets.size < each && left > 0; left -= 1) {
        const socket = open(place)
        sockets.add(socket)
        socket.once('close', () => {
          sockets.delete(socket)
          count('closed')
        })
      }
      for (const { readyState } of sockets) if (readyState === 'open') now += 1
    }
    most('open_at_once', now)
  }, tickMs)
}

/** Writes what `next` makes as fast as the other side takes it. */
export function pump(socket: Socket, next: () => Buffer): void {
  const go = () => {
    while (!socket.destroyed) {
      const bytes = next()
      count('sent_bytes', bytes.length)
      if (!socket.write(bytes)) break
    }
  }
  socket.on('drain', go)
  if (socket.connecting) socket.once('connect', go)
  else go()
}
