/** TLS handshakes that are begun and dropped at the server's answer; each costs it a signature: `tls-hellos.js TARGET plain|ticket NUMBER`. */
import { count, words } from '../client/attacker.js'
import { clientHello, withForgedTicket } from '../client/client-hello.js'
import { atServer, connect, keepOpen } from '../client/connections.js'
import { ports } from '../target.js'

const [kind = 'plain', number = '1'] = words
const plain = await clientHello()
const hello = kind === 'ticket' ? withForgedTicket(plain) : plain
const server = atServer(ports.https)
const serverHello = 0x16

keepOpen(
  () => [server],
  Number(number),
  (place) => {
    const socket = connect(place)
    socket.once('connect', () => socket.write(hello))
    socket.once('data', (bytes: Buffer) => {
      count(bytes[0] === serverHello ? 'answered' : 'refused')
      socket.resetAndDestroy()
    })
    return socket
  },
)
