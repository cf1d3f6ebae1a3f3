/**
 * One TFTP transfer to a client: which packets to send at a request, an acknowledgement or a timeout. A pure state
 * machine; time is an argument, milliseconds of a clock that never goes back.
 *
 * A packet is sent again only at a timeout. Answering a repeated acknowledgement would double every packet from then
 * on (the sorcerer's apprentice, RFC 1123, 4.2.3.1). An acknowledgement in the middle of a window is no repetition:
 * the client misses the block after it (RFC 7440), and gets a whole window from there. Unless that window has just
 * been sent again: then what the client misses is on its way, and only what lies beyond is sent.
 *
 * Nobody makes us send much for little: what nobody has answered is sent a few times, since the request may be forged, and
 * blocks are sent again in proportion to those that arrive.
 */
import { TFTP_GIVE_UP_MS } from '../../src/limits.js'
import type { TftpTerms } from './tftp-options.js'
import { dataPacket, oackPacket } from './tftp-packet.js'

/** The timeout before the first round trip has been measured, and its bounds, milliseconds. */
const timeoutMs = { first: 1000, min: 200, max: 4000 } as const

/** A client that has not answered yet asks again by itself; these are in case that its first acknowledgement was lost. */
const repeatsUnconfirmedMax = 3

/** Windows that may be sent again before any block has arrived, and blocks for each that has: more than one in four is never lost. */
const againWindows = 4
const againPerBlock = 16

/** `done`: the client has all; `gone`: it has been silent for too long, or gave up. */
export type TransferState = 'running' | 'done' | 'gone'

/** A transfer in progress. */
export class TftpTransfer {
  readonly #file: Uint8Array
  readonly #terms: TftpTerms
  /** Number of the last block, which is shorter than the others and may be empty. */
  readonly #lastBlock: number
  #state: TransferState = 'running'
  /** Blocks that are acknowledged; -1 until the options are. */
  #acked: number
  /** Blocks that were sent. */
  #sent = 0
  #sentMs = 0
  #isConfirmed = false
  #repeats = 0
  /** Blocks that may be sent again because of acknowledgements. */
  #againBlocks: number
  #progressMs: number
  /** The window was sent for the first time: its round trip may be measured (Karn). */
  #isFresh = true
  #roundTripMs: number | undefined
  #deviationMs = 0
  #timeoutMs: number
  #deadlineMs = 0

  constructor(file: Uint8Array, terms: TftpTerms, nowMs: number) {
    this.#file = file
    this.#terms = terms
    this.#lastBlock = Math.floor(file.length / terms.blockBytes) + 1
    this.#acked = terms.accepted.size > 0 ? -1 : 0
    this.#againBlocks = againWindows * terms.windowBlocks
    this.#progressMs = nowMs
    this.#timeoutMs = timeoutMs.first
  }

  get state(): TransferState {
    return this.#state
  }

  /** The client has acknowledged something: the address is no forgery. */
  get isConfirmed(): boolean {
    return this.#isConfirmed
  }

  /** What the client has acknowledged, bytes. */
  get arrivedBytes(): number {
    return Math.min(Math.max(this.#acked, 0) * this.#terms.blockBytes, this.#file.length)
  }

  /** The whole of it. */
  get sizeBytes(): number {
    return this.#file.length
  }

  /** Something was sent again, and the client has not answered since. */
  get isRepeating(): boolean {
    return !this.#isFresh
  }

  /** When {@link onTime} is due. */
  get deadlineMs(): number {
    return this.#deadlineMs
  }

  /** The first packets. */
  start(nowMs: number): Buffer[] {
    return this.#window(nowMs)
  }

  /** The first packets once more: the request came twice. */
  startAgain(nowMs: number): Buffer[] {
    this.#isFresh = false
    return this.#window(nowMs)
  }

  /** An acknowledgement arrived. */
  onAck(block: number, nowMs: number): Buffer[] {
    if (this.#state !== 'running') return []
    if (this.#acked < 0) {
      if (block !== 0) return []
      this.#acked = 0
    } else {
      const ahead = (block - this.#acked) & 0xffff
      if (ahead === 0 || ahead > this.#sent - this.#acked) return []
      this.#acked += ahead
      const againMax = againWindows * this.#terms.windowBlocks
      this.#againBlocks = Math.min(this.#againBlocks + againPerBlock * ahead, againMax)
    }
    this.#isConfirmed = true
    this.#measure(nowMs)
    this.#progressMs = nowMs
    const sent = this.#maySendAgain() ? this.#acked : Math.max(this.#acked, this.#sent)
    this.#isFresh = true
    if (this.#acked === this.#lastBlock) {
      this.#state = 'done'
      return []
    }
    return this.#window(nowMs, sent)
  }

  /** The client sent an error: usual after it asked for the size only. */
  onError(): void {
    if (this.#state === 'running') this.#state = 'gone'
  }

  /** The time of {@link deadlineMs} has come. */
  onTime(nowMs: number): Buffer[] {
    if (this.#state !== 'running' || nowMs < this.#deadlineMs) return []
    const isForged = !this.#isConfirmed && this.#repeats >= repeatsUnconfirmedMax
    if (isForged || nowMs - this.#progressMs >= TFTP_GIVE_UP_MS) {
      this.#state = 'gone'
      return []
    }
    this.#repeats += 1
    this.#isFresh = false
    this.#timeoutMs = Math.min(this.#timeoutMs * 2, timeoutMs.max)
    return this.#window(nowMs)
  }

  /** Whether what was sent beyond the block that was just acknowledged is sent again. */
  #maySendAgain(): boolean {
    if (!this.#isFresh) return false
    const blocks = Math.max(0, this.#sent - this.#acked)
    if (blocks > this.#againBlocks) return false
    this.#againBlocks -= blocks
    return true
  }

  /** The blocks after `sent`, as far as the window reaches. */
  #window(nowMs: number, sent = this.#acked): Buffer[] {
    this.#sentMs = nowMs
    this.#deadlineMs = nowMs + this.#timeoutMs
    if (this.#acked < 0) return [oackPacket(this.#terms.accepted)]
    const { blockBytes, windowBlocks } = this.#terms
    const last = Math.min(this.#acked + windowBlocks, this.#lastBlock)
    const packets: Buffer[] = []
    for (let block = sent + 1; block <= last; block += 1) {
      const start = (block - 1) * blockBytes
      packets.push(dataPacket(block, this.#file.subarray(start, start + blockBytes)))
    }
    this.#sent = last
    return packets
  }

  /**
   * The timeout follows the round trip (RFC 6298), so that a lost packet costs little and a slow client is not pressed.
   * An answer to what was sent twice measures nothing, and the longer timeout stays until one does (Karn): a client that
   * has become slower than the timeout would never be measured otherwise, and get everything twice.
   */
  #measure(nowMs: number): void {
    if (!this.#isFresh) return
    const sampleMs = nowMs - this.#sentMs
    const beforeMs = this.#roundTripMs ?? sampleMs
    this.#deviationMs =
      this.#roundTripMs === undefined
        ? sampleMs / 2
        : this.#deviationMs * 0.75 + Math.abs(sampleMs - beforeMs) * 0.25
    this.#roundTripMs = beforeMs * 0.875 + sampleMs * 0.125
    const wantedMs = this.#roundTripMs + 4 * this.#deviationMs
    this.#timeoutMs = Math.min(Math.max(wantedMs, timeoutMs.min), timeoutMs.max)
  }
}
