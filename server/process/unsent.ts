/**
 * Bounds what the system takes of us for a connection before it can send it (TCP_NOTSENT_LOWAT). Left to itself Linux takes up to
 * 4 MB of each (tcp_wmem) that read fast once, for as long as the client then does not read. Node has no call for the option, so
 * libc is called by koffi; where that cannot be, connections are as the system makes them.
 */

import { createRequire } from 'node:module'
import type { Socket } from 'node:net'

/** Of `netinet/in.h` and `netinet/tcp.h`; the same on all processors. */
const ipprotoTcp = 6
const tcpNotsentLowat = 25

/** Lets no more than so many bytes wait in the system before they are sent; those under way are not counted. */
export type LimitUnsent = (socket: Socket, bytes: number) => void

type SetOption = (fd: number, level: number, option: number, value: Buffer, bytes: number) => number

/** Loads libc. */
export function unsentLimiter(): LimitUnsent {
  const setOption = load()
  if (setOption === undefined) return () => {}
  return (socket, bytes) => {
    const fd = (socket as unknown as { _handle: { fd?: number } | null })._handle?.fd
    if (fd === undefined || fd < 0) return
    const value = Buffer.from(new Uint32Array([bytes]).buffer)
    setOption(fd, ipprotoTcp, tcpNotsentLowat, value, value.length)
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
