/**
 * Serves one connection's requests from one open file: neighbouring blocks are read together with one
 * positioned read straight into the messages that carry them, and only while the connection takes them.
 */

import { readv } from 'node:fs'
import type Wire from 'bittorrent-protocol'

/** 4 bytes of length, the message id, index and offset (BEP 3). */
const headerBytes = 13
const pieceMessageId = 7

interface Request {
  index: number
  offset: number
  length: number
}

/** What the upload reports and asks. */
export interface UploadHooks {
  /** Payload that may be read at once now. Where that is too little, call {@link Upload.pump} again later. */
  bytesMax(): number
  /** Whether so many bytes may be sent now, as far as rates go. If not, call {@link Upload.pump} again later. */
  admit(bytes: number): boolean
  sent(bytes: number): void
  /** The file cannot be read, or is shorter than its torrent. */
  failed(error: Error): void
}

/** The queue of requests of one connection. */
export class Upload {
  readonly #wire: Wire
  readonly #fd: number
  readonly #pieceLength: number
  readonly #hooks: UploadHooks
  #queue: Request[] = []
  #reading = false
  #full = false

  constructor(wire: Wire, file: { fd: number; pieceLength: number }, hooks: UploadHooks) {
    this.#wire = wire
    this.#fd = file.fd
    this.#pieceLength = file.pieceLength
    this.#hooks = hooks
    // streamx calls this when its buffer has drained below the high-water mark.
    Object.assign(wire, {
      _read: (done: (error: null) => void): void => {
        done(null)
        this.#full = false
        this.pump()
      },
    })
  }

  get queued(): number {
    return this.#queue.length
  }

  /** Queues a request that has been checked already. */
  add(index: number, offset: number, length: number): void {
    this.#queue.push({ index, offset, length })
    this.pump()
  }

  cancel(index: number, offset: number, length: number): boolean {
    const at = this.#queue.findIndex((r) => r.index === index && r.offset === offset && r.length === length)
    if (at >= 0) this.#queue.splice(at, 1)
    return at >= 0
  }

  /** Takes out everything that is queued. */
  clear(): Request[] {
    const queue = this.#queue
    this.#queue = []
    return queue
  }

  /** Sends what can be sent now. */
  pump(): void {
    if (this.#reading || this.#full || this.#queue.length === 0 || this.#wire.destroyed) return
    const { count, bytes } = this.#nextBatch(this.#hooks.bytesMax())
    if (count === 0 || !this.#hooks.admit(bytes)) return
    const batch = this.#queue.splice(0, count)
    const message = Buffer.allocUnsafe(bytes + count * headerBytes)
    const blocks = layOut(batch, message)
    const first = batch[0]
    if (first === undefined) return
    this.#reading = true
    readv(this.#fd, blocks, first.index * this.#pieceLength + first.offset, (error, bytesRead) => {
      this.#reading = false
      if (this.#wire.destroyed) return
      if (error !== null || bytesRead !== bytes) {
        this.#hooks.failed(error ?? new Error(`the file ends ${bytes - bytesRead} bytes early`))
        return
      }
      this.#full = this.#wire._push(message) === false
      this.#wire.uploaded += bytes
      this.#wire.emit('upload', bytes)
      this.#hooks.sent(bytes)
      this.pump()
    })
  }

  /** How many requests at the head of the queue lie one after the other in the file, and their bytes. */
  #nextBatch(bytesMax: number): { count: number; bytes: number } {
    let count = 0
    let bytes = 0
    let end = -1
    for (const request of this.#queue) {
      const start = request.index * this.#pieceLength + request.offset
      if (bytes + request.length > bytesMax || (count > 0 && start !== end)) break
      end = start + request.length
      bytes += request.length
      count++
    }
    return { count, bytes }
  }
}

/** Writes the headers of `piece` messages and returns the gaps between them, to be read into. */
function layOut(batch: Request[], message: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  let at = 0
  for (const { index, offset, length } of batch) {
    message.writeUInt32BE(headerBytes - 4 + length, at)
    message[at + 4] = pieceMessageId
    message.writeUInt32BE(index, at + 5)
    message.writeUInt32BE(offset, at + 9)
    blocks.push(message.subarray(at + headerBytes, at + headerBytes + length))
    at += headerBytes + length
  }
  return blocks
}
