/** Big files read as slowly as the server lets anybody: `slow-reader.js TARGET http|https NUMBER`. */
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { count, target, words } from '../client/attacker.js'
import { atServer, connect, keepOpen } from '../client/connections.js'
import { ports } from '../target.js'

const [scheme = 'http', number = '1'] = words
const isTls = scheme === 'https'
const path = isTls ? target.artifactPath : target.bootPath
/** More than the 512 KiB in 30 s below which the server disconnects a client. */
const bytesPerS = 20_480
const server = atServer(isTls ? ports.https : ports.http)

keepOpen(
  () => [server],
  Number(number),
  (place) => {
    const socket = connect(place, !isTls)
    const reader: Socket = isTls ? connectTls({ socket, rejectUnauthorized: false }) : socket
    reader.on('error', () => socket.destroy())
    reader.once(isTls ? 'secureConnect' : 'connect', () =>
      reader.write(`GET ${path} HTTP/1.1\r\nHost: siege\r\n\r\n`),
    )
    // Somebody listens, so that reading is by hand.
    reader.on('readable', () => {})
    const timer = setInterval(() => count('read_bytes', reader.read(bytesPerS)?.length ?? 0), 1000)
    return socket.once('close', () => clearInterval(timer))
  },
)
