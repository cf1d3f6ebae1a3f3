/**
 * The connections of all HTTP and HTTPS clients together, before and after their TLS handshake: how many there may be, and whose
 * is closed when there are too many (fair-share.ts). Idle is one without a response under way.
 */
import type { Server, Socket } from 'node:net'
import { addressOwner } from '../../src/net.js'
import type { TcpOptions } from '../process/tcp-options.js'
import { FairShare } from './fair-share.js'
import { endsOf } from './socket-ends.js'

/** What the system may take of answers before it can send them, bytes: the rest counts for the client (answer-memory.ts). Files have more. */
const unsentBytesMax = 128 * 1024

/** For `/v1/status`. */
export interface ConnectionStats {
  readonly open: number
  readonly max: number
  /** Refused, or closed to make room for others, since the start. */
  readonly refused: number
}

interface Connection {
  readonly socket: Socket
  /** What speaks over it: itself, or the TLS socket. */
  top: Socket
}

/** Counts connections and closes those that must give way. */
export class Connections {
  readonly #share: FairShare<Connection>
  readonly #byEnds = new Map<string, Connection>()
  readonly #options: TcpOptions | undefined
  #refused = 0

  /** @param max at a time, of all listeners together */
  constructor(max: number, options?: TcpOptions) {
    this.#share = new FairShare(max)
    this.#options = options
  }

  get max(): number {
    return this.#share.max
  }

  stats(): ConnectionStats {
    return { open: this.#share.taken, max: this.max, refused: this.#refused }
  }

  /** A new connection: whether it may stay. Those that are refused or give way are closed. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket
    const connection = { socket, top: socket }
    // Without an address it is closed already.
    const yielding =
      remoteAddress === undefined
        ? undefined
        : this.#share.take(connection, addressOwner(remoteAddress), 1, false)
    if (yielding === undefined) {
      this.#refused += 1
      socket.destroy()
      return false
    }
    this.#refused += yielding.length
    for (const other of yielding) close(other)
    this.#options?.limitUnsent(socket, unsentBytesMax)
    const ends = endsOf(socket)
    this.#byEnds.set(ends, connection)
    socket.once('close', () => {
      this.#share.release(connection)
      if (this.#byEnds.get(ends) === connection) this.#byEnds.delete(ends)
    })
    return true
  }

  /** The handshake of an admitted connection is over. */
  secured(socket: Socket): void {
    const connection = this.#byEnds.get(endsOf(socket))
    if (connection !== undefined) connection.top = socket
  }

  /** The socket below that of an admitted connection, or itself. */
  below(socket: Socket): Socket | undefined {
    return this.#byEnds.get(endsOf(socket))?.socket
  }

  /** A response begins on a connection; call the result when it is over. */
  begin(socket: Socket): () => void {
    const connection = this.#byEnds.get(endsOf(socket))
    if (connection === undefined) return () => {}
    this.#share.setBusy(connection, true)
    return () => this.#share.setBusy(connection, false)
  }

  /** Closes an admitted connection unless a response is under way; what has been written still goes out. */
  closeIdle(socket: Socket): void {
    const connection = this.#byEnds.get(endsOf(socket))
    if (connection === undefined || !this.#share.isIdle(connection)) return
    const { top } = connection
    top.end(() => top.destroy())
  }

  /** The system takes no more than so many bytes of what is to be sent over a connection before it can send them. */
  limitUnsent(socket: Socket, bytes: number): void {
    const connection = this.#byEnds.get(endsOf(socket))
    if (connection !== undefined) this.#options?.limitUnsent(connection.socket, bytes)
  }

  /** The system takes about so many bytes of each connection before we read them; call it when the server listens. */
  limitUnread(server: Server, bytes: number): void {
    this.#options?.limitUnread(server, bytes)
  }

  /** Closes the connection of a client that does not read. */
  reset(socket: Socket): void {
    const connection = this.#byEnds.get(endsOf(socket))
    if (connection !== undefined) close(connection)
  }
}

/** Closes a connection so that the system drops what waits for the client, megabytes perhaps; TLS above it ends with it. */
function close({ socket, top }: Connection): void {
  // One that is being shut down cannot be reset.
  if (top.writableEnded && top.writableLength === 0) socket.destroy()
  else socket.resetAndDestroy()
}

/**
 * Puts the admission before what a server does with its connections. Call it before the server listens. The result closes
 * this server's idle connections, also those over which nothing has come yet: node:http does not count them.
 */
export function admitConnections(server: Server, connections: Connections): () => void {
  const open = new Set<Socket>()
  const begin = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    if (!connections.admit(socket)) return
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    for (const listener of begin) listener.call(server, socket)
  })
  server.on('secureConnection', (socket: Socket) => connections.secured(socket))
  return () => {
    for (const socket of open) connections.closeIdle(socket)
  }
}
