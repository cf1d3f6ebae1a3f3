/**
 * The seeder's connections past their handshake: what is sent to each and whether it is read, within what all of them may
 * hold together. What the messages mean is decided by {@link LinkHandlers}.
 */

import type { Server, Socket } from 'node:net'
import type Wire from 'bittorrent-protocol'
import { addressOwner, plainAddress } from '../../src/net.js'
import { ConnectionTable } from './connections.js'
import { Incoming } from './incoming.js'
import { ReadGate } from './read-gate.js'
import { SendMemory } from './send-memory.js'
import { SocketOutlet } from './socket-outlet.js'
import { Turns } from './turns.js'
import { Upload } from './upload.js'
import { adopt, type WireControl, type WireEvents, type WireTorrent } from './wire.js'

/** A connection without a message for this long is closed (BEP 3 asks for a keep-alive every 2 minutes). */
const silenceMs = 180_000
/**
 * Requests that wait, of all peers: hand-outs (32 pieces of up to 4 MiB) and the slots of stock clients make 12,000. Above
 * it a peer is not read while so many of its own wait.
 */
const queuedAllMax = 32_768
const queuedCrowdedMax = 16

/** What one connection's messages do; and what happens to it. */
export interface LinkHandlers
  extends Pick<WireEvents, 'greeted' | 'have' | 'bitfield' | 'interested' | 'request' | 'cancel'> {
  /** Its messages may wait in the kernel until the next tick, to be read in one batch. */
  isBatched(): boolean
  /** Whether so many bytes may be sent to it now, as far as rates go. */
  admit(bytes: number): boolean
  sent(bytes: number): void
  /** The file cannot be read: the connection is closed. */
  readFailed(error: Error): void
  closed(): void
}

/** A torrent and its open file. */
export interface LinkTorrent extends WireTorrent {
  readonly fd: number
}

/** What {@link Links} reports. */
export interface LinkHooks {
  /** Takes an accepted connection; it comes back through {@link Links.open} when its handshake is done. */
  accepted(conn: Socket): void
  log(event: string, data: Record<string, string | number>): void
}

/** One connection. */
export class Link {
  readonly id: number
  /** Without a zone, and not IPv4-mapped. */
  readonly address: string
  /** Whom the address belongs to, where something is shared out by address. */
  readonly owner: string
  readonly wire: Wire
  readonly control: WireControl
  readonly upload: Upload
  readonly gate: ReadGate
  readonly handlers: LinkHandlers
  heardMs: number

  constructor(
    id: number,
    conn: Socket,
    wire: Wire,
    parts: { control: WireControl; upload: Upload; handlers: LinkHandlers; nowMs: number },
  ) {
    this.id = id
    this.address = plainAddress(conn.remoteAddress ?? '')
    this.owner = addressOwner(this.address)
    this.wire = wire
    this.control = parts.control
    this.upload = parts.upload
    this.handlers = parts.handlers
    this.heardMs = parts.nowMs
    this.gate = new ReadGate(conn)
  }
}

/** All connections. */
export class Links {
  readonly #table: ConnectionTable
  readonly #incoming: Incoming
  readonly #memory = new SendMemory()
  readonly #turns = new Turns()
  readonly #links = new Map<number, Link>()
  /** Those that are not read on before what they were answered has left. */
  readonly #held = new Set<Link>()
  /** Requests that wait, of all links, at the last tick. */
  #queued = 0

  /** @param connectionsMax as many as the system has room for */
  constructor(server: Server, connectionsMax: number, hooks: LinkHooks) {
    this.#table = new ConnectionTable(connectionsMax)
    this.#incoming = new Incoming(server, this.#table, {
      handOver: hooks.accepted,
      crowded: (connections) => hooks.log('seeder.crowded', { connections, max: this.#table.max }),
      short: (reason, max) => hooks.log('seeder.short', { reason, max }),
    })
  }

  get size(): number {
    return this.#links.size
  }

  get(id: number): Link | undefined {
    return this.#links.get(id)
  }

  /** A connection whose handshake is done, and whose torrent is known. Undefined if it has ended meanwhile. */
  open(conn: Socket, wire: Wire, torrent: LinkTorrent, handlers: LinkHandlers): Link | undefined {
    const id = this.#incoming.idOf(conn)
    if (id === undefined || conn.destroyed) return undefined
    const nowMs = performance.now()
    this.#table.shaken(id, nowMs)
    const upload = this.#upload(id, wire, torrent, handlers)
    const control = this.#adopt(id, conn, wire, torrent, { ...handlers, queued: () => upload.queued })
    const link = new Link(id, conn, wire, { control, upload, handlers, nowMs })
    this.#links.set(id, link)
    conn.setNoDelay(true)
    setImmediate(() => conn.uncork())
    conn.on('data', () => {
      link.heardMs = performance.now()
      if (handlers.isBatched()) link.gate.stop('batch')
    })
    wire.once('close', () => this.#closed(link))
    return link
  }

  /** A piece moved over it: it is kept rather than others. */
  moved(link: Link): void {
    this.#table.moved(link.id, performance.now())
  }

  drop(link: Link): void {
    link.wire.destroy()
    this.#closed(link)
  }

  /** To be called every 50 ms or so. */
  tick(nowMs: number): void {
    this.#incoming.tick(nowMs)
    for (const id of this.#memory.sample(nowMs)) this.#closeStuck(id)
    this.#queued = 0
    for (const link of this.#links.values()) {
      link.gate.start('batch')
      this.#queued += link.upload.queued
      if (nowMs - link.heardMs > silenceMs) this.drop(link)
      else link.upload.pump()
    }
    for (const link of this.#held) link.control.goOn()
  }

  #adopt(
    id: number,
    conn: Socket,
    wire: Wire,
    torrent: LinkTorrent,
    handlers: LinkHandlers & Pick<WireEvents, 'queued'>,
  ): WireControl {
    const outlet = new SocketOutlet(conn)
    return adopt(wire, torrent, {
      ...handlers,
      reader: (readOn) => this.#turns.reader(addressOwner(conn.remoteAddress ?? ''), readOn),
      mayRead: () => this.#mayRead(id, handlers.queued()),
      held: (isHeld) => this.#hold(id, isHeld),
      sends: (bytes) => {
        outlet.give(bytes)
        if (this.#links.has(id)) this.#memory.sends(id, outlet, bytes, performance.now())
      },
    })
  }

  #upload(id: number, wire: Wire, { fd, pieceLength }: LinkTorrent, handlers: LinkHandlers): Upload {
    return new Upload(
      wire,
      { fd, pieceLength },
      {
        bytesMax: () => this.#memory.payloadMax(id),
        admit: handlers.admit,
        sent: handlers.sent,
        failed: (error) => {
          handlers.readFailed(error)
          const link = this.#links.get(id)
          if (link !== undefined) this.drop(link)
        },
      },
    )
  }

  /** While answers to a peer or its requests wait above their bounds its messages wait, too: in its own memory. */
  #mayRead(id: number, queued: number): boolean {
    if (this.#queued >= queuedAllMax && queued >= queuedCrowdedMax) return false
    return this.#memory.mayAnswer(id)
  }

  #hold(id: number, isHeld: boolean): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    if (isHeld) {
      this.#held.add(link)
      link.gate.stop('held')
    } else {
      this.#held.delete(link)
      link.gate.start('held')
    }
  }

  #closeStuck(id: number): void {
    this.#incoming.close(id)
    const link = this.#links.get(id)
    if (link !== undefined) this.drop(link)
  }

  #closed(link: Link): void {
    if (!this.#links.delete(link.id)) return
    link.upload.clear()
    this.#held.delete(link)
    this.#memory.leave(link.id)
    link.handlers.closed()
  }
}
