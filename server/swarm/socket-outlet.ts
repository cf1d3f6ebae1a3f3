/** Which of the bytes given to a connection are still in this process. */

import type { Socket } from 'node:net'
import type { Outlet } from './send-memory.js'

/** What net.Socket keeps of its handle: bytes given to the kernel or waiting for it, and those that wait. */
interface Handle {
  readonly bytesWritten: number
  readonly writeQueueSize: number
}

/** Bytes on their way through the streams between a wire and its socket, and in the socket. */
export class SocketOutlet implements Outlet {
  readonly #socket: Socket
  #givenBytes: number

  constructor(socket: Socket) {
    this.#socket = socket
    this.#givenBytes = socket.bytesWritten
  }

  /** So many bytes have been pushed into the first of the streams. */
  give(bytes: number): void {
    this.#givenBytes += bytes
  }

  get waitingBytes(): number {
    const { destroyed, bytesWritten, writableLength } = this.#socket
    return destroyed ? 0 : Math.max(0, this.#givenBytes - (bytesWritten - writableLength))
  }

  get takenBytes(): number {
    const handle = (this.#socket as unknown as { _handle: Handle | null })._handle
    return handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize
  }
}
