/**
 * A link in virtual time, shared as TCP does: each connection has the same part of it, unless its own line is slower. The system
 * buffers for each, and takes more when a third of that has been sent.
 */
import { SEND_PART_BYTES_MAX, SendTurns } from '../../../server/http/send-turns.js'

const stepMs = 5
const bufferBytes = 150_000

/** Timers in virtual time, and what is under test. */
export class TurnsWorld {
  nowMs = 0
  readonly timers: { readonly atMs: number; readonly run: () => void }[] = []
  readonly turns = new SendTurns({ nowMs: () => this.nowMs, after: (ms, run) => this.after(ms, run) })

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, run }
    this.timers.push(timer)
    return () => {
      const at = this.timers.indexOf(timer)
      if (at >= 0) this.timers.splice(at, 1)
    }
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const [timer] = this.timers.sort((a, b) => a.atMs - b.atMs)
      if (timer === undefined || timer.atMs > untilMs) break
      this.timers.shift()
      this.nowMs = timer.atMs
      timer.run()
    }
    this.nowMs = untilMs
  }
}

interface Connection {
  /** Of its own line, bytes a millisecond. */
  readonly pace: number
  /** What the system has taken and not sent. */
  buffered: number
  /** What is still to come from the server. */
  left: number
  /** Gives the system more, which has so much room. */
  fill(roomBytes: number): void
  /** All has been sent. */
  done(): void
}

/** What has been sent so far to nodes in their turn and to others, bytes. */
export interface Sent {
  inTurn: number
  others: number
}

/** Files that go over one link. Paces are bytes a millisecond. */
export class LinkWorld extends TurnsWorld {
  readonly #pace: number
  readonly #connections = new Map<Connection, keyof Sent>()
  readonly sent: Sent = { inTurn: 0, others: 0 }

  constructor(pace: number) {
    super()
    this.#pace = pace
  }

  /** A node that loads one file after the other in its turn. */
  node(address: string, pace: number, fileBytes = 5_000_000): void {
    let takenBytes = 0
    const over = this.turns.goesFirst(address, { movedBytes: () => takenBytes, isCrawling: () => false })
    const connection: Connection = {
      pace,
      buffered: 0,
      left: fileBytes,
      fill: (roomBytes) => {
        const bytes = Math.min(roomBytes, connection.left)
        takenBytes += bytes
        connection.left -= bytes
        connection.buffered += bytes
      },
      done: () => {
        over()
        this.after(5, () => this.node(address, pace, fileBytes))
      },
    }
    this.#connections.set(connection, 'inTurn')
  }

  /** A client that loads a file without a turn. */
  client(address: string, pace: number, fileBytes: number, done: () => void = () => {}): void {
    const turn = this.turns.enter(address)
    let readBytes = 0
    let isReading = false
    const connection: Connection = {
      pace,
      buffered: 0,
      left: fileBytes,
      fill: (roomBytes) => {
        const bytes = Math.min(roomBytes, readBytes)
        readBytes -= bytes
        connection.left -= bytes
        connection.buffered += bytes
        if (readBytes > 0 || isReading || connection.left === 0) return
        isReading = true
        turn.read(Math.min(connection.left, SEND_PART_BYTES_MAX), (part) => {
          isReading = false
          readBytes = part
        })
      },
      done: () => {
        turn.end()
        done()
      },
    }
    this.#connections.set(connection, 'others')
  }

  /** Lets time pass until it says so, or as long as it may. */
  run(maxMs: number, isOver: () => boolean = () => false): void {
    const untilMs = this.nowMs + maxMs
    while (this.nowMs < untilMs && !isOver()) {
      this.pass(stepMs)
      this.#send()
      for (const connection of [...this.#connections.keys()]) {
        if (connection.buffered <= (bufferBytes * 2) / 3) connection.fill(bufferBytes - connection.buffered)
        if (connection.left > 0 || connection.buffered > 0) continue
        this.#connections.delete(connection)
        connection.done()
      }
    }
  }

  #send(): void {
    const wants = [...this.#connections]
      .map(([connection, kind]) => ({
        connection,
        kind,
        bytes: Math.min(connection.buffered, connection.pace * stepMs),
      }))
      .sort((a, b) => a.bytes - b.bytes)
    let roomBytes = this.#pace * stepMs
    for (const [at, { connection, kind, bytes }] of wants.entries()) {
      const sent = Math.min(bytes, roomBytes / (wants.length - at))
      roomBytes -= sent
      connection.buffered = connection.buffered - sent < 1 ? 0 : connection.buffered - sent
      this.sent[kind] += sent
    }
  }
}
