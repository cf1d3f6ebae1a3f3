/** Recognises the TCP socket below a TLS socket. */
import type { Socket } from 'node:net'

/** What an open TLS socket and the TCP socket below it have in common with no other. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
