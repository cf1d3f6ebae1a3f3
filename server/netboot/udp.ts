/** UDP sockets of the netboot process: opened with a large buffer, their failures as codes. */

import { createSocket, type Socket, type SocketOptions } from 'node:dgram'
import { BootswarmError } from '../../src/errors.js'

/** Bursts of hundreds of machines wait here while the loop is busy; the kernel cuts it to `net.core.rmem_max`. */
const receiveBufferBytes = 4 * 1024 * 1024

/** Of all sockets here. They send to addresses, never to names: a look-up would put each datagram off to a later tick. */
export const socketOptions: SocketOptions = {
  type: 'udp4',
  recvBufferSize: receiveBufferBytes,
  lookup: (address, _options, found) => found(null, address, 4),
}

/** How a socket is opened. */
export interface UdpOptions {
  readonly address: string
  /** 0 takes a free one. */
  readonly port: number
  /** Beside another socket of ours on the same port. */
  readonly isShared?: boolean
}

/**
 * Opens an IPv4 socket.
 *
 * @throws BootswarmError NETBOOT_NOT_ALLOWED, ADDRESS_IN_USE, NETBOOT_FAILED
 */
export function openUdp({ address, port, isShared = false }: UdpOptions): Promise<Socket> {
  const socket = createSocket({ ...socketOptions, reuseAddr: isShared })
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      socket.close()
      reject(udpError(error, `UDP port ${port} on ${address}`))
    }
    socket.once('error', fail)
    socket.bind({ address, port }, () => {
      socket.off('error', fail)
      socket.setBroadcast(true)
      resolve(socket)
    })
  })
}

/** What went wrong with a socket, as a code of ours. */
export function udpError(error: NodeJS.ErrnoException, what: string): BootswarmError {
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return new BootswarmError('NETBOOT_NOT_ALLOWED', `${what}: only root may listen there`, {
        cause: error,
      })
    case 'EADDRINUSE':
      return new BootswarmError('ADDRESS_IN_USE', `${what} belongs to another process`, { cause: error })
    default:
      return new BootswarmError('NETBOOT_FAILED', `${what}: ${error.message}`, { cause: error })
  }
}
