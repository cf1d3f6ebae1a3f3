/**
 * The parts of untyped libraries that we use, private ones included: what is named here with an
 * underscore is pinned by test/server/swarm/wire.test.ts, which fails when a new version lacks it.
 */

declare module 'bittorrent-protocol' {
  import type { DiffieHellman } from 'node:crypto'
  import type { Duplex } from 'node:stream'

  export interface ExtendedHandshake {
    [name: string]: unknown
  }

  /** The class of a BEP 10 extension. */
  export interface WireExtension {
    new (wire: Wire): object
    readonly prototype: { readonly name: string }
  }

  /** One BitTorrent connection past the socket (streamx, close enough to a Node stream). */
  export default class Wire extends Duplex {
    constructor(type?: string, peEnabled?: number)
    peerId: string | null
    amChoking: boolean
    hasFast: boolean
    uploaded: number
    peerExtensions: { fast?: boolean; extended?: boolean }
    peerExtendedHandshake: ExtendedHandshake
    extendedHandshake: ExtendedHandshake
    extendedMapping: Record<string, string>
    /** Where the peer wants the messages of each extension. */
    peerExtendedMapping: Record<string, number>
    remoteAddress?: string
    handshake(infoHash: string, peerId: string, extensions: { fast: boolean; dht: boolean }): void
    interested(): void
    uninterested(): void
    choke(): void
    unchoke(): void
    have(index: number): void
    haveNone(): void
    haveAll(): void
    bitfield(bits: Uint8Array): void
    allowedFast(index: number): void
    reject(index: number, offset: number, length: number): void
    request(
      index: number,
      offset: number,
      length: number,
      done: (error: Error | null, block: Uint8Array) => void,
    ): void
    setKeepAlive(enable: boolean): void
    use(extension: WireExtension): void
    extended(extension: string, body: Uint8Array): void

    /** Of a wire that may be encrypted. */
    _encryptor: { readonly dh: DiffieHellman }
    _bufferSize: number
    _push(data: Uint8Array): boolean | undefined
    _processBuffer(): void
    _parse(size: number, parser: (buffer: Uint8Array) => void): void
    _onHandshakeBuffer(buffer: Uint8Array): void
    _onMessageLength(buffer: Uint8Array): void
    _onMessage(buffer: Uint8Array): void
    _onInterested(): void
    _onUninterested(): void
    _onHave(index: number): void
    _onBitField(buffer: Uint8Array): void
    _onHaveAll(): void
    _onHaveNone(): void
    _onRequest(index: number, offset: number, length: number): void
    _onCancel(index: number, offset: number, length: number): void
    _onPiece(index: number, offset: number, block: Uint8Array): void
    _onExtended(ext: number, buffer: Uint8Array): void
  }
}

declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events'
  import type { Server, Socket } from 'node:net'
  import type Wire from 'bittorrent-protocol'

  export interface Torrent extends EventEmitter {
    infoHash: string
    ready: boolean
    pieces: unknown[]
    _peers: Map<string, { conn: Socket | null; destroy(error?: Error): void }>
    _rechoke(): void
    _rechokeIntervalId: NodeJS.Timeout
    _rarityMap: { _onWire(wire: Wire): void }
    addPeer(address: string): boolean
    on(event: 'wire', listener: (wire: Wire, address?: string) => void): this
    on(event: 'error', listener: (error: Error) => void): this
    on(event: 'warning', listener: (error: Error) => void): this
    destroy(options?: object, done?: (error?: Error) => void): void
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: Record<string, unknown>)
    torrentPort: number
    listening: boolean
    peerId: string
    _connPool: {
      tcpServer: Server
      _onTCPConnectionBound(conn: Socket): void
      _onTCPError(error: Error): void
    }
    add(torrent: Uint8Array, options: Record<string, unknown>, done: (torrent: Torrent) => void): Torrent
    destroy(done?: (error?: Error) => void): void
  }
}

declare module 'bittorrent-dht' {
  import type { EventEmitter } from 'node:events'

  /** A contact in the routing table (k-bucket). */
  interface Contact {
    id: Buffer
    host: string
    port: number
  }

  interface RoutingTable extends EventEmitter {
    toArray(): Contact[]
    closest(id: Uint8Array, count?: number): Contact[]
    on(event: 'added' | 'removed', listener: (contact: Contact) => void): this
  }

  export default class DHT extends EventEmitter {
    constructor(options: Record<string, unknown>)
    nodes: RoutingTable
    _rpc: { nodes: RoutingTable; _addNode(contact: Contact): void }
    _peers: {
      add(name: string, peer: Buffer): void
      get(name: string, count?: number): Buffer[]
      destroy(): void
    }
    listen(port: number, done?: () => void): void
    address(): { port: number; address: string }
    announce(infohash: string | Uint8Array, port: number, done?: (error?: Error) => void): void
    lookup(infohash: string | Uint8Array, done?: (error: Error | null, nodes: number) => void): () => void
    destroy(done?: () => void): void
    _addPeer(
      peer: { host: string; port: number },
      infohash: Uint8Array,
      from: { host: string; port: number },
    ): void
  }
}
