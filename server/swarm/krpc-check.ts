/**
 * Lets through to bittorrent-dht only what it can take: KRPC messages (BEP 5) that are whole, canonical
 * bencode with parts of the right type and length. It trusts its input in many places. Pure.
 */

import { type BencodeDict, type BencodeValue, decodeBencode } from '../../src/bencode.js'

const bounds = { bytesMax: 2_048, depthMax: 4, valuesMax: 256 }
const transactionBytesMax = 64
const tokenBytesMax = 64

/** What was let through. */
export type Checked =
  | { kind: 'answer' }
  | { kind: 'query'; query: 'ping' | 'find_node' | 'get_peers' | 'announce_peer'; infohash?: string }

/** Undefined for messages to drop without an answer. */
export function checkKrpc(bytes: Uint8Array): Checked | undefined {
  let message: BencodeValue
  try {
    message = decodeBencode(bytes, bounds)
  } catch {
    return undefined
  }
  if (!(message instanceof Map)) return undefined
  const transaction = message.get('t')
  if (!(transaction instanceof Uint8Array)) return undefined
  if (transaction.length < 1 || transaction.length > transactionBytesMax) return undefined
  switch (textOf(message.get('y'))) {
    case 'q':
      return checkQuery(textOf(message.get('q')), message.get('a'))
    case 'r':
      return checkAnswer(message.get('r'))
    case 'e':
      return Array.isArray(message.get('e')) ? { kind: 'answer' } : undefined
    default:
      return undefined
  }
}

function checkQuery(query: string | undefined, args: BencodeValue | undefined): Checked | undefined {
  if (!(args instanceof Map) || !isBytes(args.get('id'), 20)) return undefined
  switch (query) {
    case 'ping':
      return { kind: 'query', query }
    case 'find_node':
      return isBytes(args.get('target'), 20) ? { kind: 'query', query } : undefined
    case 'get_peers':
      return ofTorrent(query, args)
    case 'announce_peer': {
      const token = args.get('token')
      if (!(token instanceof Uint8Array) || token.length > tokenBytesMax) return undefined
      const port = args.get('port')
      const implied = args.get('implied_port') === 1
      if (!implied && !(typeof port === 'number' && port >= 1 && port <= 65_535)) return undefined
      return ofTorrent(query, args)
    }
    // BEP 44's get and put store other people's data: not here.
    default:
      return undefined
  }
}

function ofTorrent(query: 'get_peers' | 'announce_peer', args: BencodeDict): Checked | undefined {
  const infohash = args.get('info_hash')
  if (!isBytes(infohash, 20)) return undefined
  return { kind: 'query', query, infohash: Buffer.from(infohash).toString('hex') }
}

function checkAnswer(answer: BencodeValue | undefined): Checked | undefined {
  if (!(answer instanceof Map) || !isBytes(answer.get('id'), 20)) return undefined
  const nodes = answer.get('nodes')
  if (nodes !== undefined && !(nodes instanceof Uint8Array && nodes.length % 26 === 0)) return undefined
  const token = answer.get('token')
  if (token !== undefined && !(token instanceof Uint8Array && token.length <= tokenBytesMax)) return undefined
  const values = answer.get('values')
  const isPeer = (value: BencodeValue): boolean => isBytes(value, 6) || isBytes(value, 18)
  if (values !== undefined && !(Array.isArray(values) && values.every(isPeer))) return undefined
  return { kind: 'answer' }
}

function isBytes(value: BencodeValue | undefined, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function textOf(value: BencodeValue | undefined): string | undefined {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : undefined
}
