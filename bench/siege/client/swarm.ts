/** Who is in the swarm: the tracker tells anybody who asks like a peer. */
import { get } from 'node:http'
import { decodeBencode } from '../../../src/bencode.js'
import { inventedPeer } from '../../storm/peer-wire.js'
import { ports } from '../target.js'
import { nextAddress, target } from './attacker.js'
import type { Place } from './connections.js'
import { infohash } from './peer.js'

const everyMs = 500
/** Where nobody listens: who only asks does not take part. */
const noPort = 6999

/** The query of an announce. */
export function announceQuery(wanted: Buffer, peerId: Buffer, port: number, left: number): string {
  const escaped = (raw: Buffer) => [...raw].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  const who = `info_hash=${escaped(wanted)}&peer_id=${escaped(peerId)}&port=${port}`
  return `/announce?${who}&uploaded=0&downloaded=0&left=${left}&compact=1&numwant=200`
}

/** Announces from an address; the peers that the tracker names. */
export function announce(
  localAddress: string,
  peerId: Buffer,
  port: number,
  left: number,
): Promise<readonly Place[]> {
  const path = announceQuery(infohash, peerId, port, left)
  return new Promise((resolve) => {
    const options = { host: target.server, port: ports.http, path, localAddress, agent: false }
    const request = get(options, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve(peersOf(Buffer.concat(parts))))
      response.on('error', () => resolve([]))
    })
    request.on('error', () => resolve([]))
  })
}

function peersOf(body: Buffer): Place[] {
  try {
    const answer = decodeBencode(body)
    const peers = answer instanceof Map ? answer.get('peers') : undefined
    if (!(peers instanceof Uint8Array)) return []
    return Array.from({ length: Math.floor(peers.length / 6) }, (_, index) => {
      const [a, b, c, d, high = 0, low = 0] = peers.subarray(6 * index, 6 * index + 6)
      return { host: `${a}.${b}.${c}.${d}`, port: high * 256 + low }
    })
  } catch {
    return []
  }
}

/** The agents that are there now, as far as the tracker tells: asked again and again, as a stranger. */
export function followAgents(): () => readonly Place[] {
  const known = new Map<string, Place>()
  const nodes = new Set(target.nodes.map(({ address }) => address))
  const ask = async () => {
    for (const place of await announce(nextAddress(), inventedPeer(), noPort, target.payloadBytes)) {
      // A node has one agent: the newest port is that one's.
      if (nodes.has(place.host)) known.set(place.host, place)
    }
    setTimeout(() => void ask(), everyMs)
  }
  void ask()
  return () => [...known.values()]
}
