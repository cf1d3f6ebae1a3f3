/**
 * What the system may hold of connections. Left to itself Linux takes up to 4 MB of what is to be sent to a client that read fast
 * once (tcp_wmem), for as long as it then does not read, and up to 6 MB of what we have not read (tcp_rmem). Node has no calls for
 * these options, so libc is called by koffi; where that cannot be, connections are as the system makes them.
 */

import { createRequire } from 'node:module'
import type { Server, Socket } from 'node:net'

/** Of `asm-generic/socket.h`, `netinet/in.h` and `netinet/tcp.h`; the same on all processors that koffi is built for. */
const solSocket = 1
const soRcvbuf = 8
const ipprotoTcp = 6
const tcpNotsentLowat = 25

type SetOption = (fd: number, level: number, option: number, value: Buffer, bytes: number) => number

/** Sets them. */
export class TcpOptions {
  readonly #setOption = load()

  /** No more than so many bytes wait before they are sent; those under way are not counted. */
  limitUnsent(socket: Socket, bytes: number): void {
    this.#set(socket, ipprotoTcp, tcpNotsentLowat, bytes)
  }

  /** About so many bytes wait to be read of each connection to a server that listens: later ones wait at the client. */
  limitUnread(server: Server, bytes: number): void {
    this.#set(server, solSocket, soRcvbuf, bytes)
  }

  #set(of: Socket | Server, level: number, option: number, value: number): void {
    const fd = (of as unknown as { _handle: { fd?: number } | null })._handle?.fd
    if (this.#setOption === undefined || fd === undefined || fd < 0) return
    const bytes = Buffer.from(new Uint32Array([value]).buffer)
    this.#setOption(fd, level, option, bytes, bytes.length)
  }
}

function load(): SetOption | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    // The libc that Node itself runs on.
    const declaration = 'int setsockopt(int fd, int level, int option, const void *value, uint32_t bytes)'
    return koffi.load(null).func(declaration)
  } catch {
    return undefined
  }
}
