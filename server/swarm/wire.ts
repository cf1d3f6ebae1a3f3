/**
 * Stands between bittorrent-protocol's Wire and us: takes its choking, requests and bookkeeping over,
 * and lets nothing through to the library that could exhaust or end the process. What it guards against
 * (each with a regression test): a HAVE far beyond the last piece, a message length of gigabytes, requests
 * without end or sense, metadata requests without end, anything that makes the library throw, messages that make us
 * answer and are not followed by reading the answers, and floods of messages that mean nothing.
 */

import Wire, { type WireExtension } from 'bittorrent-protocol'
import { TokenBucket } from '../../src/token-bucket.js'
import { parseExtendedHandshake } from './extended-handshake.js'
import type { MetadataParts } from './metadata-parts.js'
import type { Reader } from './turns.js'

/** Bytes that a peer may send before its torrent is known. */
const heldBytesMax = 65_536
/** A message is no longer than this or the bitfield: BEP 10 handshakes and PEX messages have some hundred bytes. */
const messageBytesMin = 16_384
const blockBytesMax = 131_072
const queuedMax = 512
/** Handshakes of BEP 10: a peer may tell of changes. */
const extendedHandshakesMax = 16
/** Requests for parts of the metadata beyond four copies of it. */
const metadataSpare = 64
/**
 * Messages without effect: keep-alives, repetitions, requests that are refused. libtorrent sends some hundreds at once
 * (requests and cancels that cross a choke), no client many for long.
 */
const uselessBurst = 1_024
const uselessPerSecond = 16

/** Messages of a peer; indexes and lengths are already validated. */
export interface WireEvents {
  /** The BEP 10 handshake has arrived, or the peer does not speak BEP 10. Once. */
  greeted(agent: boolean): void
  /** @returns false if that was known */
  have(piece: number): boolean
  /** All that it has; once, before or after the handshake of BEP 10. */
  bitfield(bits: Uint8Array): void
  interested(interested: boolean): void
  /** @returns false if this piece is not to be served to it now */
  request(piece: number, offset: number, length: number): boolean
  /** @returns false if there is no such request */
  cancel(piece: number, offset: number, length: number): boolean
  /** How many requests wait. */
  queued(): number
  /** So many bytes have been put into the connection. */
  sends(bytes: number): void
  /** Makes it one of those that are read in turn; `readOn` reads on in its turn. */
  reader(readOn: () => void): Reader
  /** Whether another message may be read now. If not, {@link WireControl.goOn} is to be called when it may. */
  mayRead(): boolean
  /** Nothing of what arrives is read until further notice: the socket can be stopped. */
  held(isHeld: boolean): void
}

/** What the guard must know of the torrent. */
export interface WireTorrent {
  pieces: number
  pieceLength: number
  sizeBytes: number
  metadata: MetadataParts
}

/** What the owner of a wire does with it. */
export interface WireControl {
  /** The real choke and unchoke; webtorrent's own calls of them do nothing. */
  choke(): void
  unchoke(): void
  /** Reads on in its turn, where {@link WireEvents.mayRead} said no. */
  goOn(): void
}

const metadataName = 'ut_metadata'

/** Stands for the library's own extension, which would make a copy of the metadata for each connection. */
class OfferedMetadata {
  // The library reads the name from the prototype.
  declare readonly name: string

  on(): void {}

  setMetadata(): void {}
}
Object.assign(OfferedMetadata.prototype, { name: metadataName })

const held = new WeakSet<Wire>()
let guarded = false

/**
 * Guards every Wire of this process from its first byte on. A wire is held after the handshake until
 * {@link adopt}ed: webtorrent looks the torrent up asynchronously, and a peer must not use that gap.
 */
export function guardAllWires(): void {
  if (guarded) return
  guarded = true
  shareKeys()
  const proto = Wire.prototype
  const onHandshakeBuffer = proto._onHandshakeBuffer
  proto._onHandshakeBuffer = function (this: Wire, buffer: Uint8Array): void {
    onHandshakeBuffer.call(this, buffer)
    held.add(this)
    this._parse(Number.POSITIVE_INFINITY, () => {})
  }
  const use = proto.use
  proto.use = function (this: Wire, extension: WireExtension): void {
    use.call(this, extension.prototype.name === metadataName ? OfferedMetadata : extension)
  }
  const processBuffer = proto._processBuffer
  proto._processBuffer = function (this: Wire): void {
    if (held.has(this) && this._bufferSize > heldBytesMax) {
      this.destroy()
      return
    }
    try {
      processBuffer.call(this)
    } catch {
      // Whatever a peer makes the library throw ends its connection, not the process.
      this.destroy()
    }
  }
}

/**
 * One key of ours for all encrypted connections (MSE). The library makes one for each and has OpenSSL prove each time that
 * the standard's prime is one, which takes 10 ms; the encryption hides the protocol and keeps no secrets.
 */
function shareKeys(): void {
  const encryptor = new Wire('tcpIncoming', 1)._encryptor
  const { dh } = encryptor
  const publicKey = dh.generateKeys()
  const shared = {
    generateKeys: () => publicKey,
    computeSecret: (theirs: Uint8Array) => dh.computeSecret(theirs),
  }
  Object.defineProperty(Object.getPrototypeOf(encryptor), 'dh', { get: () => shared })
}

/** Takes a wire over; called in webtorrent's `wire` event. */
export function adopt(wire: Wire, torrent: WireTorrent, events: WireEvents): WireControl {
  const control = { choke: wire.choke.bind(wire), unchoke: wire.unchoke.bind(wire) }
  const push = wire._push.bind(wire)
  const noop = (): void => {}
  const useless = uselessCounter(wire)
  const pace = paced(wire, messageBytesMax(torrent), events)
  Object.assign(wire, {
    choke: noop,
    unchoke: noop,
    _push(data: Uint8Array): boolean | undefined {
      events.sends(data.length)
      return push(data)
    },
    // Nothing that a leecher sends to a seeder: not looked at, so that it costs nothing.
    _onKeepAlive: useless,
    _onChoke: useless,
    _onUnchoke: useless,
    _onPiece: useless,
    _onPort: useless,
    _onSuggest: useless,
    _onReject: useless,
    _onAllowedFast: useless,
    _onHaveNone: useless,
    _onMessageLength: pace.onMessageLength,
    _onMessage: pace.onMessage,
    ...pieceHandlers(wire, torrent, events, useless),
    ...requestHandlers(wire, torrent, events, useless),
  })
  wire.on('unknownmessage', useless)
  Object.assign(wire.extendedHandshake, { metadata_size: torrent.metadata.sizeBytes })
  const greet = extendedHandler(wire, torrent, events, useless)
  // After webtorrent has sent its handshake and put its handlers in place (a microtask later).
  setImmediate(() => {
    held.delete(wire)
    if (wire.destroyed) return
    if (wire.peerExtensions.extended !== true) greet(false)
    wire._parse(4, wire._onMessageLength)
    wire._processBuffer()
  })
  return { ...control, goOn: pace.goOn }
}

function messageBytesMax(torrent: WireTorrent): number {
  return Math.max(messageBytesMin, Math.ceil(torrent.pieces / 8) + 16)
}

/** Ends the connection: nothing more of what has arrived is read. */
function drop(wire: Wire): void {
  wire._parse(Number.POSITIVE_INFINITY, () => {})
  wire.destroy()
}

/** Counts a message without effect; too many of them end the connection. */
function uselessCounter(wire: Wire): () => void {
  const allowed = new TokenBucket(uselessPerSecond, uselessBurst)
  let isOver = false
  return () => {
    // The library calls handlers of messages itself when it ends.
    if (isOver || allowed.take(1, performance.now())) return
    isOver = true
    drop(wire)
  }
}

/** Stops between two messages, when the peer's turn is over or while it may not be read. */
function paced(
  wire: Wire,
  bytesMax: number,
  events: WireEvents,
): { onMessageLength(buffer: Uint8Array): void; onMessage(buffer: Uint8Array): void; goOn(): void } {
  const { _onMessageLength: onMessageLength, _onMessage: onMessage } = wire
  /** The length of the message that is read next, while the peer is held. */
  let next: Uint8Array | undefined
  const reader = events.reader(() => {
    if (next === undefined || wire.destroyed || !events.mayRead()) return
    const buffer = next
    next = undefined
    events.held(false)
    wire._onMessageLength(buffer)
    wire._processBuffer()
  })
  return {
    goOn() {
      if (next !== undefined && events.mayRead()) reader.wait()
    },
    onMessageLength(buffer) {
      const lengthBytes = new DataView(buffer.buffer, buffer.byteOffset, 4).getUint32(0)
      if (lengthBytes > bytesMax) {
        drop(wire)
      } else if (reader.isOver || !events.mayRead()) {
        next = buffer
        wire._parse(Number.POSITIVE_INFINITY, () => {})
        events.held(true)
        if (reader.isOver) reader.wait()
      } else {
        // A message counts when it is whole: half a message costs nobody his turn.
        if (lengthBytes === 0) reader.read(0)
        onMessageLength.call(wire, buffer)
      }
    },
    onMessage(buffer) {
      reader.read(buffer.length)
      onMessage.call(wire, buffer)
    },
  }
}

/** What the peer has, and whether it wants something. */
function pieceHandlers(wire: Wire, torrent: WireTorrent, events: WireEvents, useless: () => void): object {
  const bitfieldBytes = Math.ceil(torrent.pieces / 8)
  let isTold = false
  /** BEP 3: a bitfield comes once. Each costs a look at every piece. */
  const bitfield = (bits: Uint8Array): void => {
    if (isTold) drop(wire)
    else events.bitfield(bits)
    isTold = true
  }
  return {
    _onHave(index: number): void {
      if (index < 0 || index >= torrent.pieces) drop(wire)
      else if (!events.have(index)) useless()
    },
    _onBitField(bits: Uint8Array): void {
      if (bits.length !== bitfieldBytes) drop(wire)
      else bitfield(bits)
    },
    _onHaveAll(): void {
      if (wire.hasFast) bitfield(new Uint8Array(bitfieldBytes).fill(0xff))
      else drop(wire)
    },
    // A change costs us as much as a repetition; an honest peer changes its mind now and then.
    _onInterested(): void {
      events.interested(true)
      useless()
    },
    _onUninterested(): void {
      events.interested(false)
      useless()
    },
  }
}

function requestHandlers(wire: Wire, torrent: WireTorrent, events: WireEvents, useless: () => void): object {
  const { pieces, pieceLength, sizeBytes } = torrent
  return {
    _onRequest(index: number, offset: number, length: number): void {
      const pieceBytes = index === pieces - 1 ? sizeBytes - index * pieceLength : pieceLength
      const isInside = index >= 0 && index < pieces && offset >= 0 && offset + length <= pieceBytes
      if (!isInside || length < 1 || length > blockBytesMax || events.queued() >= queuedMax) drop(wire)
      else if (!events.request(index, offset, length)) {
        useless()
        if (wire.hasFast) wire.reject(index, offset, length)
      }
    },
    _onCancel(index: number, offset: number, length: number): void {
      if (!events.cancel(index, offset, length)) useless()
    },
  }
}

/** Our own extensions are few; only the handshake and ut_metadata mean anything to a seeder. */
function extendedHandler(
  wire: Wire,
  torrent: WireTorrent,
  events: WireEvents,
  useless: () => void,
): (agent: boolean) => void {
  let handshakesLeft = extendedHandshakesMax
  let requestsLeft = metadataSpare + 4 * torrent.metadata.count
  let greeted = false
  const greet = (agent: boolean): void => {
    if (greeted) return
    greeted = true
    events.greeted(agent)
  }
  Object.assign(wire, {
    _onExtended(ext: number, buffer: Uint8Array): void {
      if (ext === 0) {
        if (handshakesLeft-- <= 0) {
          drop(wire)
          return
        }
        const said = parseExtendedHandshake(buffer)
        if (said === undefined) useless()
        else if (said.metadataId !== undefined) setMetadataId(wire, said.metadataId)
        greet(said?.bootswarm === true && wire.hasFast)
        return
      }
      const answer = ext === metadataId(wire) ? torrent.metadata.answer(buffer) : undefined
      if (answer === undefined) useless()
      else if (requestsLeft-- > 0) wire.extended(metadataName, answer)
      else drop(wire)
    },
  })
  return greet
}

/** Where the library sends the peer's metadata, which it asks for by this number. 0: it wants none any more. */
function setMetadataId(wire: Wire, id: number): void {
  wire.peerExtendedMapping = id === 0 ? {} : { [metadataName]: id }
}

/** The number under which we offered ut_metadata (BEP 9) on this wire. */
function metadataId(wire: Wire): number | undefined {
  for (const [id, name] of Object.entries(wire.extendedMapping)) if (name === metadataName) return Number(id)
  return undefined
}
