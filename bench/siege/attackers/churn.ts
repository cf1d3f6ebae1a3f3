/** Connections that are closed as soon as they are there, to each TCP port of the server. */

import { target } from '../client/attacker.js'
import { connect, keepOpen } from '../client/connections.js'
import { ports } from '../target.js'

const places = [ports.http, ports.https, ports.seeder].map((port) => ({ host: target.server, port }))
const atOnce = 64

keepOpen(
  () => places,
  atOnce,
  (place) => {
    const socket = connect(place, true)
    return socket.once('connect', () => socket.resetAndDestroy())
  },
)
