/** UDP sockets of the netboot process: opened with a large buffer, their failures as codes. */

import { createSocket, type Socket } from 'node:dgram'
import { BootswarmError } from '../../src/errors.js'

/** Bursts of hundreds of machines wait here while the loop is busy; the kernel cuts it to `net.core.rmem_max`. */
export const receiveBufferBytes = 4 * 1024 * 1024

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
  const socket = createSocket({ type: 'udp4', reuseAddr: isShared, recvBufferSize: receiveBufferBytes })
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
