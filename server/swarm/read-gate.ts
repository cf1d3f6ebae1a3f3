/**
 * Lets a socket's bytes wait in the kernel for a moment, so that many small messages are read as one.
 * `pause()` would not do: a paused socket goes on reading, packet by packet, into Node's own buffer.
 */

import type { Socket } from 'node:net'

/** What net.Socket keeps of its handle (lib/net.js does the same when its buffer is full). */
interface Handle {
  reading: boolean
  readStop(): void
}

/** Stops and starts the reading of one socket. */
export class ReadGate {
  readonly #socket: Socket
  readonly #read: (size: number) => void
  #stopped = false

  constructor(socket: Socket) {
    this.#socket = socket
    this.#read = socket._read.bind(socket)
    // The stream asks for more after each packet, which would start the handle again.
    socket._read = (size) => {
      if (!this.#stopped) this.#read(size)
    }
  }

  stop(): void {
    const handle = (this.#socket as unknown as { _handle: Handle | null })._handle
    if (this.#stopped || handle === null || !handle.reading) return
    this.#stopped = true
    handle.reading = false
    handle.readStop()
  }

  start(): void {
    if (!this.#stopped) return
    this.#stopped = false
    if (!this.#socket.destroyed) this.#read(0)
  }
}
