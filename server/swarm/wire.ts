/**
 * Stands between bittorrent-protocol's Wire and us: takes its choking, requests and bookkeeping over,
 * and lets nothing through to the library that could exhaust or end the process. What it guards against
 * (each with a regression test): a HAVE far beyond the last piece, a message length of gigabytes, requests
 * without end or sense, metadata requests without end, and anything that makes the library throw.
 */

import Wire from 'bittorrent-protocol'

/** Bytes that a peer may send before its torrent is known. */
const heldBytesMax = 65_536
const messageBytesMin = 65_536
const blockBytesMax = 131_072
const queuedMax = 512
/** `extended` messages of one peer beyond what one copy of the metadata needs. */
const extendedSpare = 64

/** Messages of a peer; indexes and lengths are already validated. */
export interface WireEvents {
  /** The BEP 10 handshake has arrived, or the peer does not speak BEP 10. Once. */
  greeted(agent: boolean): void
  have(piece: number): void
  bitfield(bits: Uint8Array): void
  interested(interested: boolean): void
  /** @returns false if this piece is not to be served to it now */
  request(piece: number, offset: number, length: number): boolean
  cancel(piece: number, offset: number, length: number): void
  /** How many requests wait. */
  queued(): number
}

/** What the guard must know of the torrent. */
export interface WireTorrent {
  pieces: number
  pieceLength: number
  sizeBytes: number
  metadataBytes: number
}

/** The real choke and unchoke; webtorrent's own calls of them do nothing. */
export interface WireControl {
  choke(): void
  unchoke(): void
}

const held = new WeakSet<Wire>()
let guarded = false

/**
 * Guards every Wire of this process from its first byte on. A wire is held after the handshake until
 * {@link adopt}ed: webtorrent looks the torrent up asynchronously, and a peer must not use that gap.
 */
export function guardAllWires(): void {
  if (guarded) return
  guarded = true
  const proto = Wire.prototype
  const onHandshakeBuffer = proto._onHandshakeBuffer
  proto._onHandshakeBuffer = function (this: Wire, buffer: Uint8Array): void {
    onHandshakeBuffer.call(this, buffer)
    held.add(this)
    this._parse(Number.POSITIVE_INFINITY, () => {})
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
      // Whatever a peer makes the library throw (a BEP 10 dictionary with a `toString` entry does) ends
      // its connection, not the process.
      this.destroy()
    }
  }
}

/** Takes a wire over; called in webtorrent's `wire` event. */
export function adopt(wire: Wire, torrent: WireTorrent, events: WireEvents): WireControl {
  const choke = wire.choke.bind(wire)
  const unchoke = wire.unchoke.bind(wire)
  const noop = (): void => {}
  const drop = (): void => {
    wire.destroy()
  }
  const messageBytesMax = Math.max(messageBytesMin, Math.ceil(torrent.pieces / 8) + 16)
  let extendedLeft = extendedSpare + 4 * Math.ceil(torrent.metadataBytes / 16_384)
  let greeted = false
  const greet = (agent: boolean): void => {
    if (greeted) return
    greeted = true
    events.greeted(agent)
  }
  const onMessageLength = wire._onMessageLength
  const onExtended = wire._onExtended

  Object.assign(wire, {
    choke: noop,
    unchoke: noop,
    // Nothing that a leecher sends to a seeder: not looked at, so that it costs nothing.
    _onChoke: noop,
    _onUnchoke: noop,
    _onPiece: noop,
    _onPort: noop,
    _onSuggest: noop,
    _onReject: noop,
    _onAllowedFast: noop,
    _onHaveNone: noop,
    _onMessageLength(this: Wire, buffer: Uint8Array): void {
      const lengthBytes = new DataView(buffer.buffer, buffer.byteOffset, 4).getUint32(0)
      if (lengthBytes > messageBytesMax) drop()
      else onMessageLength.call(this, buffer)
    },
    _onHave(index: number): void {
      if (index < 0 || index >= torrent.pieces) drop()
      else events.have(index)
    },
    _onBitField(bits: Uint8Array): void {
      if (bits.length !== Math.ceil(torrent.pieces / 8)) drop()
      else events.bitfield(bits)
    },
    _onHaveAll(): void {
      if (wire.hasFast) events.bitfield(new Uint8Array(Math.ceil(torrent.pieces / 8)).fill(0xff))
      else drop()
    },
    _onInterested: () => events.interested(true),
    _onUninterested: () => events.interested(false),
    _onRequest(index: number, offset: number, length: number): void {
      const last = index === torrent.pieces - 1
      const pieceBytes = last ? torrent.sizeBytes - index * torrent.pieceLength : torrent.pieceLength
      if (index < 0 || index >= torrent.pieces || offset < 0 || length < 1 || length > blockBytesMax) drop()
      else if (offset + length > pieceBytes || events.queued() >= queuedMax) drop()
      else if (!events.request(index, offset, length) && wire.hasFast) wire.reject(index, offset, length)
    },
    _onCancel: (index: number, offset: number, length: number) => events.cancel(index, offset, length),
    _onExtended(this: Wire, ext: number, buffer: Uint8Array): void {
      // Our own extensions are few; only the handshake and ut_metadata mean anything to a seeder.
      if (extendedLeft-- <= 0) return
      if (ext !== 0 && ext !== metadataId(wire)) return
      onExtended.call(this, ext, buffer)
      if (ext === 0) greet(wire.peerExtendedHandshake.bs === 1 && wire.hasFast)
    },
  })
  // After webtorrent has sent its handshake and put its handlers in place (a microtask later).
  setImmediate(() => {
    held.delete(wire)
    if (wire.destroyed) return
    if (wire.peerExtensions.extended !== true) greet(false)
    wire._parse(4, wire._onMessageLength)
    wire._processBuffer()
  })
  return { choke, unchoke }
}

/** The number under which we offered ut_metadata (BEP 9) on this wire. */
function metadataId(wire: Wire): number | undefined {
  for (const [id, name] of Object.entries(wire.extendedMapping)) if (name === 'ut_metadata') return Number(id)
  return undefined
}
