/**
 * How much may wait in memory for peers that do not take it: for each connection, and for all together. Pure; a
 * connection's own numbers are read through {@link Outlet}.
 */

/** What waits for one connection: two reads of 128 KiB and a few answers (a 16 KiB part of the metadata each). */
const ownBytesMax = 320 * 1024
/**
 * What waits for all. Hand-outs (32 at a time) and the slots of stock clients fill a sixth of it. Above it a connection gets
 * one block at a time, so that one that takes what it asked for is served on, whatever others hold.
 */
const allBytesMax = 64 * 1024 * 1024
/** The block of common clients (BEP 3). */
const blockBytes = 16_384
const batchBytesMax = 131_072
/** A connection that takes nothing of what waits for it is closed after this; the second while memory is short. */
const stuckMs = 60_000
const stuckShortMs = 10_000

/** The sending side of one connection. */
export interface Outlet {
  /** Bytes that are held until the peer's side takes them. */
  readonly waitingBytes: number
  /** Bytes that have left this process; never falls. */
  readonly takenBytes: number
}

interface Waiting {
  readonly outlet: Outlet
  bytes: number
  takenBytes: number
  /** When it last took a byte, or began to wait. */
  atMs: number
}

/** What waits for the peers of the seeder. */
export class SendMemory {
  readonly #waiting = new Map<number, Waiting>()
  #allBytes = 0

  /** Bytes that wait for all; at most, as the sockets take some before they are looked at. */
  get bytes(): number {
    return this.#allBytes
  }

  get isShort(): boolean {
    return this.#allBytes >= allBytesMax
  }

  /** So many bytes have been given to the connection. */
  sends(id: number, outlet: Outlet, bytes: number, nowMs: number): void {
    const waiting = this.#waiting.get(id)
    this.#allBytes += bytes
    if (waiting === undefined) {
      this.#waiting.set(id, { outlet, bytes, takenBytes: outlet.takenBytes, atMs: nowMs })
      return
    }
    waiting.bytes += bytes
    if (waiting.bytes >= ownBytesMax) this.#look(id, waiting)
  }

  leave(id: number): void {
    this.#allBytes -= this.#waiting.get(id)?.bytes ?? 0
    this.#waiting.delete(id)
  }

  /** Whether messages of this peer may be read that make us answer. */
  mayAnswer(id: number): boolean {
    const own = this.#ownBytes(id, this.isShort ? 1 : ownBytesMax)
    return this.isShort ? own === 0 : own < ownBytesMax
  }

  /** How much payload may be read for this connection now, bytes. */
  payloadMax(id: number): number {
    if (!this.isShort) return batchBytesMax
    return this.#ownBytes(id, 1) === 0 ? blockBytes : 0
  }

  /** Looks at all connections that something waits for; returns those that have taken nothing for too long. */
  sample(nowMs: number): number[] {
    const stuck: number[] = []
    for (const [id, waiting] of this.#waiting) {
      if (this.#look(id, waiting) === 0) continue
      const { takenBytes } = waiting.outlet
      if (takenBytes !== waiting.takenBytes) {
        waiting.takenBytes = takenBytes
        waiting.atMs = nowMs
      } else if (nowMs - waiting.atMs >= (this.isShort ? stuckShortMs : stuckMs)) {
        stuck.push(id)
      }
    }
    return stuck
  }

  /** What waits for it; looked up only where the number that is known is not below the limit. */
  #ownBytes(id: number, limitBytes: number): number {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return 0
    return waiting.bytes < limitBytes ? waiting.bytes : this.#look(id, waiting)
  }

  #look(id: number, waiting: Waiting): number {
    const bytes = waiting.outlet.waitingBytes
    this.#allBytes += bytes - waiting.bytes
    waiting.bytes = bytes
    if (bytes <= 0) this.leave(id)
    return Math.max(0, bytes)
  }
}
