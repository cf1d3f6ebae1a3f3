/** What the tests of the hand-out share: a random source, and a farm behind one uplink in virtual time. */
import assert from 'node:assert/strict'
import { Handout } from '../../../server/swarm/handout.js'

export const infohash = 'a'.repeat(40)
/** Bytes of a piece. */
export const pieceLength = 262_144

/** A random source that follows from its seed (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Node {
  conn: number
  rack: string
  /** Bytes a millisecond that it can take. */
  rate: number
  freeAtMs: number
  have: Set<number>
  from: number[]
  /** Takes hand-outs and never confirms them. */
  dead?: boolean
  /** Of its own if left out. */
  address?: string
  /** Racks between its own and the server; 0 if left out. */
  depth?: number
}

/**
 * The origin behind one uplink, in virtual time: a hand-out takes a round trip, then its bytes pass the
 * uplink one after the other and the node's own link, then its HAVE comes back. Every node that hears
 * nothing from the origin gets a piece from its peers a while after the first holder has it.
 */
export class World {
  readonly handout = new Handout(seeded(7))
  readonly nodes = new Map<number, Node>()
  nowMs = 0
  uplinkBusyMs = 0
  #tickMs = 0
  #uplinkFreeAtMs = 0
  #events: { atMs: number; run: () => void }[] = []
  grants: { atMs: number; conn: number; piece: number }[] = []

  constructor(
    readonly pieces: number,
    readonly options: { uplink: number; rttMs: number; spreadMs: number | undefined },
  ) {
    this.handout.addTorrent({ infohash, sizeBytes: pieces * pieceLength, pieceLength, priority: 0 })
  }

  at(atMs: number, run: () => void): void {
    this.#events.push({ atMs, run })
  }

  join(conn: number, rack: string, extra: Partial<Node> = {}): Node {
    const node: Node = {
      conn,
      rack,
      rate: this.options.uplink,
      freeAtMs: 0,
      have: new Set(),
      from: [],
      ...extra,
    }
    this.nodes.set(conn, node)
    this.handout.join(conn, infohash, rack, this.nowMs, extra)
    for (const piece of node.have) this.handout.have(conn, piece, this.nowMs)
    return node
  }

  leave(conn: number): void {
    this.nodes.delete(conn)
    this.handout.leave(conn)
  }

  run(untilMs: number): void {
    for (;;) {
      for (const { conn, piece } of this.handout.poll(this.nowMs)) this.#serve(conn, piece)
      this.#events.sort((a, b) => a.atMs - b.atMs)
      const next = this.#events[0]
      const tick = this.nodes.size > 0 ? this.#tickMs : Number.POSITIVE_INFINITY
      const atMs = Math.min(next?.atMs ?? Number.POSITIVE_INFINITY, tick)
      if (atMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, atMs)
      if (this.nowMs >= this.#tickMs) this.#tickMs = this.nowMs + tickMs
      if (next !== undefined && next.atMs <= this.nowMs) {
        this.#events.shift()
        next.run()
      }
    }
    this.nowMs = untilMs
  }

  gain(node: Node, piece: number): void {
    if (node.have.has(piece) || !this.nodes.has(node.conn)) return
    node.have.add(piece)
    this.handout.have(node.conn, piece, this.nowMs)
  }

  #serve(conn: number, piece: number): void {
    const node = this.nodes.get(conn)
    assert.ok(node, 'a grant for somebody who is not there')
    this.grants.push({ atMs: this.nowMs, conn, piece })
    node.from.push(piece)
    if (node.dead === true) return
    const start = Math.max(this.nowMs + this.options.rttMs, this.#uplinkFreeAtMs)
    this.#uplinkFreeAtMs = start + pieceLength / this.options.uplink
    this.uplinkBusyMs += pieceLength / this.options.uplink
    const taken = Math.max(this.#uplinkFreeAtMs, node.freeAtMs + pieceLength / node.rate)
    node.freeAtMs = taken
    this.at(taken, () => {
      this.gain(node, piece)
      this.#spread(piece)
    })
  }

  #spread(piece: number): void {
    if (this.options.spreadMs === undefined) return
    this.at(this.nowMs + this.options.spreadMs, () => {
      for (const other of this.nodes.values()) this.gain(other, piece)
    })
  }
}

/** How often the seeder asks without an input. */
const tickMs = 50

/** 1 Gbit/s in bytes a millisecond. */
export const gigabit = 125_000
