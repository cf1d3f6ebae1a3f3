/**
 * Connections that say little or nothing and stay: `hold.js TARGET PORT KIND NUMBER`; PORT is one of the server's TCP
 * ports, or `agents` for each agent's.
 */

import { numbers } from '../../storm/peer-wire.js'
import { count, target, words } from '../client/attacker.js'
import { clientHello } from '../client/client-hello.js'
import { atServer, connect, keepOpen } from '../client/connections.js'
import { handshake } from '../client/peer.js'
import { followAgents } from '../client/swarm.js'
import { ports } from '../target.js'

const [port = '', kind = 'silent', number = '1'] = words
const post = 'POST /v1/nodes/aa/events HTTP/1.1\r\nHost: siege\r\nContent-Length: 2000\r\n\r\n'
const hello = await clientHello()

/** What is said at first, and then again and again. */
const openings: Readonly<Record<string, { first: () => Buffer; drip?: string }>> = {
  silent: { first: () => Buffer.alloc(0) },
  'half-header': {
    first: () => Buffer.from(`GET ${target.bootPath} HTTP/1.1\r\nHost: siege\r\n`),
    drip: 'X-A: b\r\n',
  },
  'slow-body': { first: () => Buffer.from(post), drip: ' ' },
  'half-hello': { first: () => hello.subarray(0, hello.length >> 1) },
  'whole-hello': { first: () => hello },
  handshake: { first: () => handshake('-XX0001-') },
  'agent-handshake': { first: () => handshake() },
  'half-message': { first: () => Buffer.concat([handshake(), numbers(16_000), Buffer.from([20])]) },
}
const dripMs = 4000

const opening = openings[kind]
if (opening === undefined) throw new Error(`no such kind: ${kind}`)
const server = port === 'agents' ? undefined : atServer(ports[port as keyof typeof ports])
keepOpen(server === undefined ? followAgents() : () => [server], Number(number), (place) => {
  const socket = connect(place, true)
  const first = opening.first()
  socket.once('connect', () => socket.write(first))
  const { drip } = opening
  if (drip === undefined) return socket
  const timer = setInterval(() => {
    count('drips')
    socket.write(drip)
  }, dripMs)
  return socket.once('close', () => clearInterval(timer))
})
