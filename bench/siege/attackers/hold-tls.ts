/** TLS connections after their handshake that stay and say little: `hold-tls.js TARGET KIND NUMBER`. */
import { connect as connectTls } from 'node:tls'
import { target, words } from '../client/attacker.js'
import { atServer, connect, keepOpen } from '../client/connections.js'
import { ports } from '../target.js'

const [kind = 'silent', number = '1'] = words
/** The longest body that events may have, but for its last byte. */
const bodyBytes = 65_536
const post = (bytes: number) =>
  `POST /v1/nodes/aa/events HTTP/1.1\r\nHost: siege\r\nContent-Length: ${bytes}\r\n\r\n`
const texts: Readonly<Record<string, string>> = {
  silent: '',
  'half-header': `GET ${target.artifactPath} HTTP/1.1\r\nHost: siege\r\n`,
  'slow-body': post(2000),
  'big-body': post(bodyBytes) + ' '.repeat(bodyBytes - 1),
}
/** What follows, again and again. */
const drips: Readonly<Record<string, string>> = { 'half-header': 'X-A: b\r\n', 'slow-body': ' ' }
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
      secure.write(drips[kind] ?? '')
    }, dripMs)
    return socket.once('close', () => clearInterval(timer))
  },
)
