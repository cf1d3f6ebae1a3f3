/** The UDP socket that bittorrent-dht is given: it drops what is malformed, foreign or too much. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { FairRate } from '../../src/fair-rate.js'
import { TokenBuckets } from '../../src/token-bucket.js'
import { type Checked, checkKrpc } from './krpc-check.js'

/** Packets that are read. */
const received = { perSecond: 5_000, burst: 5_000 } as const
const addressesMax = 4_096
/**
 * What one address is sent, bytes a second and at once: an answer is up to six times as long as its question, and may go to
 * somebody who never asked. 500 nodes behind one address that begin together ask some ten times each: 2 MB.
 */
const sentBytesPerSecondOfOne = 256 * 1024
const sentBurstBytesOfOne = 2 * 1024 * 1024

/** Decides on a well-formed packet: false drops it. */
export type Admit = (packet: Checked, from: RemoteInfo) => boolean

/** As much of dgram.Socket as k-rpc-socket uses. */
export class GuardedSocket extends EventEmitter {
  readonly #socket: Socket = createSocket('udp4')
  readonly #received = new FairRate(received)
  readonly #sentBytes = new TokenBuckets(addressesMax, sentBytesPerSecondOfOne, sentBurstBytesOfOne)

  constructor(admit: Admit) {
    super()
    this.#socket.on('message', (bytes, from) => {
      if (!this.#received.take(from.address, performance.now())) return
      const packet = checkKrpc(bytes)
      if (packet === undefined || !admit(packet, from)) return
      try {
        this.emit('message', bytes, from)
      } catch {
        // The library threw at a packet that looked right: the packet is lost, nothing else.
      }
    })
    this.#socket.on('error', (error) => this.emit('error', error))
    this.#socket.on('listening', () => this.emit('listening'))
    this.#socket.on('close', () => this.emit('close'))
  }

  bind(...args: Parameters<Socket['bind']>): void {
    this.#socket.bind(...args)
  }

  address(): { address: string; port: number } {
    return this.#socket.address()
  }

  send(
    bytes: Uint8Array,
    offset: number,
    length: number,
    port: number,
    address: string,
    done: () => void,
  ): void {
    // Port 0 (of a hostile node list) makes dgram throw.
    if (port < 1 || port > 65_535) return
    if (!this.#sentBytes.take(address, length, performance.now())) return
    this.#socket.send(bytes, offset, length, port, address, done)
  }

  close(): void {
    this.#socket.close()
  }
}
