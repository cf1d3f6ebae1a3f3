/**
 * Handshakes that are begun and dropped at the server's answer, which costs it arithmetic and us nothing:
 * `begin.js TARGET https|seeder KIND NUMBER`, so many at a time.
 */
import { randomBytes } from 'node:crypto'
import { count, words } from '../client/attacker.js'
import { clientHello, withForgedTicket } from '../client/client-hello.js'
import { atServer, connect, keepOpen } from '../client/connections.js'
import { ports } from '../target.js'

const [port = 'https', kind = 'plain', number = '1'] = words
const hello = await clientHello()
/** A Diffie-Hellman key of BitTorrent's encryption. */
const keyBytes = 96

const openings: Readonly<Record<string, () => Buffer>> = {
  plain: () => hello,
  ticket: () => withForgedTicket(hello),
  encryption: () => randomBytes(keyBytes),
}
const opening = openings[kind]
if (opening === undefined) throw new Error(`no such kind: ${kind}`)
const server = atServer(port === 'seeder' ? ports.seeder : ports.https)
/** TLS refuses by an alert. */
const alert = 0x15

keepOpen(
  () => [server],
  Number(number),
  (place) => {
    const socket = connect(place)
    socket.once('connect', () => socket.write(opening()))
    socket.once('data', (bytes: Buffer) => {
      count(bytes[0] === alert ? 'refused' : 'answered')
      socket.resetAndDestroy()
    })
    return socket
  },
)
