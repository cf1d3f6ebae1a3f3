/**
 * A peer that asks without end and reads nothing: `greedy-peer.js TARGET seeder|agents KIND NUMBER PREFIX`, NUMBER
 * connections to each; its name begins with PREFIX.
 */
import { blockBytes, ids, message, numbers } from '../../storm/peer-wire.js'
import { words } from '../client/attacker.js'
import { atServer, connect, keepOpen, type Place, pump } from '../client/connections.js'
import { everything, extensions, handshake, metadataRequest, pieceBytes, pieces } from '../client/peer.js'
import { followAgents } from '../client/swarm.js'
import { ports } from '../target.js'

const [whom = 'seeder', kind = 'rejects', number = '1', prefix = '-BW0001-'] = words
const batch = 256
const repeat = (make: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: batch }, (_, index) => make(index)))
/** All but the last piece, which is shorter. */
const pieceOf = (index: number) => index % Math.max(1, pieces - 1)
const request = (index: number) =>
  message(ids.request, numbers(pieceOf(index), (index * blockBytes) % pieceBytes, blockBytes))
/** Whoever is sent much before it has found the torrent drops the connection. */
const shakeMs = 300
/** Agents and webtorrent give the extension one of these numbers. */
const metadataIds = [1, 2, 3]

/** What is said after the handshake, and then without end. */
const kinds: Readonly<Record<string, { first: Buffer[]; again: Buffer }>> = {
  // Each request of a choked peer is answered by a reject (BEP 6).
  rejects: { first: [], again: repeat(request) },
  requests: { first: [message(ids.interested)], again: repeat(request) },
  metadata: {
    first: [extensions()],
    again: repeat((index) => metadataRequest(metadataIds[index % metadataIds.length] ?? 1, index % 2)),
  },
  // Nothing is asked for, all of it has to be parsed and remembered or forgotten.
  news: {
    first: [extensions()],
    again: repeat((index) => {
      const piece = numbers(pieceOf(index))
      const cancel = message(ids.cancel, piece, numbers(0, blockBytes))
      const chatter = [ids.interested, ids.notInterested].map((id) => message(id))
      return Buffer.concat([
        message(ids.have, piece),
        message(ids.suggest, piece),
        request(index),
        cancel,
        ...chatter,
      ])
    }),
  },
  extensions: { first: [everything()], again: repeat(() => extensions()) },
}

const asked = kinds[kind]
if (asked === undefined) throw new Error(`no such kind: ${kind}`)
const seeder = atServer(ports.seeder)
const places: () => readonly Place[] = whom === 'agents' ? followAgents() : () => [seeder]

keepOpen(places, Number(number), (place) => {
  const socket = connect(place, true)
  return socket.once('connect', () => {
    socket.write(Buffer.concat([handshake(prefix), ...asked.first]))
    setTimeout(() => pump(socket, () => asked.again), shakeMs)
  })
})
