/**
 * Local service discovery (BEP 14) for the seeder: announces its torrents every few minutes, and soon after
 * a peer has announced one of them. Our own code, because bittorrent-lsd ends the process at a bad packet.
 */

import { createSocket, type Socket } from 'node:dgram'
import { FairRate } from '../../src/fair-rate.js'
import { encodeLsd, lsdGroup, lsdPort, parseLsd } from './lsd-packet.js'
import type { SwarmLog } from './swarm-log.js'

const announceEveryMs = 300_000
/** After a search, answers of several seeds are spread, and many searches get one answer. */
const answerDelayMs = 250
const answerPauseMs = 2_000
/** Packets that are read. */
const packets = { perSecond: 400, burst: 400 } as const
const interfacesMax = 32

/** Local service discovery (BEP 14): announces the seeder's torrents, answers peers that search for them. */
export interface Lsd {
  start(): Promise<void>
  /** Speaks on the interfaces with these IPv4 addresses, one of each, from now on. */
  setInterfaces(addresses: readonly string[]): void
  setTorrents(infohashes: Iterable<string>, seederPort: number): void
  stats(): { announced: number; received: number; dropped: number }
  stop(): Promise<void>
}

/** Options of `createLsd`. */
export interface LsdOptions {
  /** UDP port, 6771. */
  port?: number
  nowMs: () => number
  random: () => number
  log?: SwarmLog
}

/** Makes the announcer; nothing is sent before `start` and `setTorrents`. */
export function createLsd(options: LsdOptions): Lsd {
  return new LsdService(options)
}

class LsdService implements Lsd {
  readonly #options: LsdOptions
  readonly #cookie: string
  readonly #budget = new FairRate(packets)
  readonly #senders = new Map<string, Socket>()
  readonly #joining = new Set<string>()
  #receiver: Socket | undefined
  #interfaces: readonly string[] = []
  #torrents = new Set<string>()
  #seederPort = 0
  #timer: NodeJS.Timeout | undefined
  #answer: NodeJS.Timeout | undefined
  #answeredMs = Number.NEGATIVE_INFINITY
  #announced = 0
  #received = 0
  #dropped = 0

  constructor(options: LsdOptions) {
    this.#options = options
    this.#cookie = `bootswarm-${Math.floor(options.random() * 2 ** 32).toString(16)}`
  }

  /** Listens and announces; where that is impossible it says so in the log, and the rest goes on. */
  async start(): Promise<void> {
    const receiver = createSocket({ type: 'udp4', reuseAddr: true })
    this.#receiver = receiver
    receiver.on('message', (bytes, { address }) => this.#receive(bytes, address))
    await new Promise<void>((resolve) => {
      receiver.on('error', (error) => {
        this.#options.log?.('warn', 'lsd.unavailable', { error: error.message })
        resolve()
      })
      receiver.bind(this.#options.port ?? lsdPort, () => resolve())
    })
    this.#join()
    this.#timer = setInterval(() => {
      this.#join()
      this.#announce([...this.#torrents])
    }, announceEveryMs)
    this.#timer.unref()
  }

  setInterfaces(addresses: readonly string[]): void {
    this.#interfaces = addresses
    if (this.#receiver !== undefined) this.#join()
  }

  setTorrents(infohashes: Iterable<string>, seederPort: number): void {
    const before = this.#torrents
    const moved = seederPort !== this.#seederPort
    this.#torrents = new Set(infohashes)
    this.#seederPort = seederPort
    this.#announce([...this.#torrents].filter((infohash) => moved || !before.has(infohash)))
  }

  stats(): { announced: number; received: number; dropped: number } {
    return { announced: this.#announced, received: this.#received, dropped: this.#dropped }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    clearTimeout(this.#answer)
    const sockets = [...this.#senders.values(), ...(this.#receiver === undefined ? [] : [this.#receiver])]
    this.#senders.clear()
    this.#receiver = undefined
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => close(socket, resolve))))
  }

  #receive(bytes: Buffer, address: string): void {
    this.#received++
    const packet = this.#budget.take(address, this.#options.nowMs()) ? parseLsd(bytes) : undefined
    if (packet === undefined) {
      this.#dropped++
      return
    }
    if (packet.cookie === this.#cookie || this.#answer !== undefined) return
    if (!packet.infohashes.some((infohash) => this.#torrents.has(infohash))) return
    const waitMs = Math.max(0, this.#answeredMs + answerPauseMs - this.#options.nowMs())
    this.#answer = setTimeout(
      () => {
        this.#answer = undefined
        this.#answeredMs = this.#options.nowMs()
        this.#announce([...this.#torrents])
      },
      waitMs + this.#options.random() * answerDelayMs,
    )
  }

  #announce(infohashes: string[]): void {
    if (infohashes.length === 0 || this.#seederPort === 0) return
    for (const datagram of encodeLsd({ port: this.#seederPort, infohashes, cookie: this.#cookie })) {
      for (const sender of this.#senders.values()) {
        sender.send(datagram, this.#options.port ?? lsdPort, lsdGroup, () => {})
        this.#announced++
      }
    }
  }

  /** Joins the group on each interface. */
  #join(): void {
    const addresses = this.#interfaces.slice(0, interfacesMax)
    for (const [address, sender] of this.#senders) {
      if (addresses.includes(address)) continue
      this.#senders.delete(address)
      close(sender)
    }
    for (const address of addresses) {
      if (this.#senders.has(address) || this.#joining.has(address)) continue
      // One socket for each interface: the interface of a multicast is a property of its socket.
      const sender = createSocket({ type: 'udp4', reuseAddr: true })
      this.#joining.add(address)
      sender.on('error', () => {
        this.#joining.delete(address)
        this.#senders.delete(address)
        close(sender)
      })
      sender.bind(0, address, () => {
        this.#joining.delete(address)
        if (this.#receiver === undefined) {
          close(sender)
          return
        }
        try {
          sender.setMulticastInterface(address)
          sender.setMulticastTTL(1)
          join(this.#receiver, address)
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error)
          this.#options.log?.('debug', 'lsd.interface_unusable', { address, error: message })
          close(sender)
          return
        }
        this.#senders.set(address, sender)
        this.#announce([...this.#torrents])
      })
    }
  }
}

/** An interface is a member once; it still is when it has got another address. */
function join(receiver: Socket, address: string): void {
  try {
    receiver.addMembership(lsdGroup, address)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
  }
}

function close(socket: Socket, done: () => void = () => {}): void {
  try {
    socket.close(done)
  } catch {
    // It was closed already.
    done()
  }
}
