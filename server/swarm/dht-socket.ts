/** The UDP socket that bittorrent-dht is given: it drops what is malformed, foreign or too much. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { TokenBucket } from '../../src/token-bucket.js'
import { type Checked, checkKrpc } from './krpc-check.js'

const packetsPerSecond = 5_000
const packetsPerSecondOfOne = 200
const sendersMax = 4_096

/** Decides on a well-formed packet: false drops it. */
export type Admit = (packet: Checked, from: RemoteInfo) => boolean

/** As much of dgram.Socket as k-rpc-socket uses. */
export class GuardedSocket extends EventEmitter {
  readonly #socket: Socket = createSocket('udp4')
  readonly #all = new TokenBucket(packetsPerSecond)
  readonly #each = new Map<string, TokenBucket>()

  constructor(admit: Admit) {
    super()
    this.#socket.on('message', (bytes, from) => {
      if (!this.#inBudget(from.address)) return
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
    this.#socket.send(bytes, offset, length, port, address, done)
  }

  close(): void {
    this.#socket.close()
  }

  #inBudget(address: string): boolean {
    const nowMs = performance.now()
    if (this.#each.size >= sendersMax) this.#each.clear()
    const own = this.#each.get(address) ?? new TokenBucket(packetsPerSecondOfOne)
    this.#each.set(address, own)
    return own.take(1, nowMs) && this.#all.take(1, nowMs)
  }
}
