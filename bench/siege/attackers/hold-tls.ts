/** TLS connections after their handshake that stay and say little: `hold-tls.js TARGET silent|half-header|slow-body NUMBER`. */
import { connect as connectTls } from 'node:tls'
import { target, words } from '../client/attacker.js'
import { atServer, connect, keepOpen } from '../client/connections.js'
import { ports } from '../target.js'

const [kind = 'silent', number = '1'] = words
const texts: Readonly<Record<string, string>> = {
  silent: '',
  'half-header': `GET ${target.artifactPath} HTTP/1.1\r\nHost: siege\r\n`,
  'slow-body': 'POST /v1/nodes/aa/events HTTP/1.1\r\nHost: siege\r\nContent-Length: 2000\r\n\r\n',
}
const dripMs = 4000
const server = atServer(ports.https)

keepOpen(
  () => [server],
  Number(number),
  (place) => {
    const socket = connect(place)
    const secure = connectTls({ socket, rejectUnauthorized: false })
    secure.on('error', () => socket.destroy())
    secure.once('secureConnect', () => secure.write(texts[kind] ?? ''))
    const timer = setInterval(() => {
      if (kind !== 'silent') secure.write(kind === 'slow-body' ? ' ' : 'X-A: b\r\n')
    }, dripMs)
    return socket.once('close', () => clearInterval(timer))
  },
)
