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

/** Why a socket is not read: its messages are to come in batches, or those that came are not to be looked at yet. */
export type StopReason = 'batch' | 'held'

/** Stops and starts the reading of one socket. */
export class ReadGate {
  readonly #socket: Socket
  readonly #read: (size: number) => void
  readonly #reasons = new Set<StopReason>()

  constructor(socket: Socket) {
    this.#socket = socket
    this.#read = socket._read.bind(socket)
    // The stream asks for more after each packet, which would start the handle again.
    socket._read = (size) => {
      if (this.#reasons.size === 0) this.#read(size)
    }
  }

  stop(reason: StopReason): void {
    this.#reasons.add(reason)
    const handle = (this.#socket as unknown as { _handle: Handle | null })._handle
    if (handle === null || !handle.reading) return
    handle.reading = false
    handle.readStop()
  }

  /** Reads on where that was the only reason not to. */
  start(reason: StopReason): void {
    if (!this.#reasons.delete(reason) || this.#reasons.size > 0) return
    if (!this.#socket.destroyed) this.#read(0)
  }
}
