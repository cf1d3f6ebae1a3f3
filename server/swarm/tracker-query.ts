/**
 * The query strings of announce and scrape (BEP 3, 23, 48), from the raw URL: `info_hash` is bytes, which
 * parsers made for text spoil. Strict where it matters, deaf to what we do not know.
 */

/** Longest URL that is read. */
const urlLengthMax = 8_192
const parametersMax = 128
const scrapesMax = 64
/** What clients ask for when they do not say. */
const numwantDefault = 50
const numwantMax = 200

/** A valid announce. */
export interface Announce {
  /** 40 lower-case hex digits. */
  infohash: string
  /** The 20 bytes of `peer_id` as hex. */
  peerId: string
  /** An agent's `peer_id` begins with `-BW`. */
  agent: boolean
  port: number
  leftBytes: number | undefined
  event: 'started' | 'completed' | 'stopped' | undefined
  numwant: number
  compact: boolean
  withPeerIds: boolean
}

/** Why a request is refused; sent to the client as `failure reason`. */
export interface Refusal {
  refused: string
}

/** Parses `/announce?...`. */
export function parseAnnounce(url: string): Announce | Refusal {
  const query = parseQuery(url)
  if (query === undefined) return { refused: 'the query is malformed' }
  const infohash = one(query, 'info_hash')
  const peerId = one(query, 'peer_id')
  if (infohash?.length !== 20) return { refused: 'info_hash must be 20 bytes, once' }
  if (peerId?.length !== 20) return { refused: 'peer_id must be 20 bytes, once' }
  const event = one(query, 'event')?.toString('latin1')
  if (event !== undefined && !['', 'empty', 'paused', 'started', 'completed', 'stopped'].includes(event)) {
    return { refused: 'event must be started, completed or stopped' }
  }
  const port = integer(query, 'port')
  // One that leaves need not say where it was.
  if ((port === undefined || port < 1 || port > 65_535) && event !== 'stopped') {
    return { refused: 'port must be 1 to 65535' }
  }
  const numwant = integer(query, 'numwant') ?? numwantDefault
  return {
    infohash: infohash.toString('hex'),
    peerId: peerId.toString('hex'),
    agent: peerId.subarray(0, 3).equals(agentPrefix),
    port: port ?? 0,
    leftBytes: integer(query, 'left'),
    event: event === 'started' || event === 'completed' || event === 'stopped' ? event : undefined,
    numwant: Math.min(numwantMax, numwant),
    compact: one(query, 'compact')?.toString('latin1') !== '0',
    withPeerIds: one(query, 'no_peer_id')?.toString('latin1') !== '1',
  }
}

const agentPrefix = Buffer.from('-BW')

/** Parses `/scrape?...`: infohashes, none for all. */
export function parseScrape(url: string): string[] | Refusal {
  const query = parseQuery(url)
  if (query === undefined) return { refused: 'the query is malformed' }
  const infohashes = query.get('info_hash') ?? []
  if (infohashes.length > scrapesMax) return { refused: `at most ${scrapesMax} info_hash` }
  if (infohashes.some((infohash) => infohash.length !== 20)) return { refused: 'info_hash must be 20 bytes' }
  return infohashes.map((infohash) => infohash.toString('hex'))
}

/** Names and values as bytes; undefined if it is too long or wrongly encoded. */
function parseQuery(url: string): Map<string, Buffer[]> | undefined {
  if (url.length > urlLengthMax) return undefined
  const start = url.indexOf('?')
  const parts = start < 0 ? [] : url.slice(start + 1).split('&')
  if (parts.length > parametersMax) return undefined
  const query = new Map<string, Buffer[]>()
  for (const part of parts) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = equals < 0 ? part : part.slice(0, equals)
    const value = percentDecode(equals < 0 ? '' : part.slice(equals + 1))
    if (value === undefined) return undefined
    const values = query.get(name)
    if (values === undefined) query.set(name, [value])
    else values.push(value)
  }
  return query
}

/** `%XX` to bytes; a plus sign is a plus sign (no client means a blank by it). */
function percentDecode(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(text.length)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    let byte = text.charCodeAt(i)
    if (byte === 0x25) {
      const hex = text.slice(i + 1, i + 3)
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) return undefined
      byte = Number.parseInt(hex, 16)
      i += 2
    }
    if (byte > 0xff) return undefined
    bytes[length++] = byte
  }
  return bytes.subarray(0, length)
}

function one(query: Map<string, Buffer[]>, name: string): Buffer | undefined {
  const values = query.get(name)
  return values?.length === 1 ? values[0] : undefined
}

/** A whole number of at most 2^53 - 1; undefined if it is missing or anything else. */
function integer(query: Map<string, Buffer[]>, name: string): number | undefined {
  const text = one(query, name)?.toString('latin1')
  if (text === undefined || !/^[0-9]{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
