/**
 * The origin's hand-out of pieces to agents (docs/protocol.md, "Origin hand-out"): each piece once, back
 * to back, to the rack with fewest of those nearest to the server; then only rescues. Decides, and does nothing: the adapter feeds it
 * joins, HAVEs and the time, and sends an `allowed fast` for every {@link Grant}.
 *
 * Pace: the window (handout-window.ts) counts pieces that were handed out and not confirmed by a HAVE. It
 * is as wide as it takes to fill the uplink and no wider, so that each piece is finished soon, ready to
 * be passed on.
 */

import { type Agent, type ConnId, HandoutTorrent } from './handout-torrent.js'
import { HandoutWindow } from './handout-window.js'

export type { ConnId } from './handout-torrent.js'

/** Hand this piece to this connection: send `allowed fast`. */
export interface Grant {
  conn: ConnId
  piece: number
}

/**
 * Without a measurement yet: long. When a farm starts at once the uplink is full of manifests, and a piece taken back
 * early goes over it twice and makes everything later still.
 */
const latencyGuessMs = 2_500
/** A recipient that has not moved for so long does not hold back the others. */
const stallMinMs = 200
const deadlineMinMs = 300
const deadlineMaxMs = 60_000
const extensionsMax = 4
/**
 * How long a piece may stay with a single holder while others lack it, at least and in times of a hand-out: its holder may be
 * slow, and then all wait for it. The shorter one with fewer hand-outs under way than this, when a second copy costs nothing.
 */
const spreadMinMs = 1_500
/** The same where so many agents wait for it: on links of 1 Gbit/s the whole boot takes them little longer. */
const spreadCrowdMinMs = 200
const crowdAgents = 16
const spreadTimes = 6
const spreadIdleTimes = 2
const idleHandoutsMax = 2
/** An agent that receives nothing from any peer for this long is fed by the origin. */
const starveMinMs = 3_000
const sweepMs = 100

/** The governor over all torrents of the origin. */
export class Handout {
  readonly #random: () => number
  readonly #torrents = new Map<string, HandoutTorrent>()
  #sorted: HandoutTorrent[] = []
  readonly #agents = new Map<ConnId, Agent>()
  readonly #isolated = new Set<Agent>()
  #added = 0
  readonly #window = new HandoutWindow()
  #inWindow = 0
  /** The last times from hand-out to HAVE. */
  readonly #latenciesMs: number[] = []
  #sweptMs = Number.NEGATIVE_INFINITY

  /** @param random 0 <= x < 1 */
  constructor(random: () => number) {
    this.#random = random
  }

  addTorrent(spec: { infohash: string; sizeBytes: number; pieceLength: number; priority: number }): void {
    if (this.#torrents.has(spec.infohash)) return
    this.#torrents.set(spec.infohash, new HandoutTorrent(spec, this.#added++))
    this.#sort()
  }

  /** Gives a torrent another place in the order. */
  prioritise(infohash: string, priority: number): void {
    const torrent = this.#torrents.get(infohash)
    if (torrent === undefined) return
    torrent.priority = priority
    this.#sort()
  }

  removeTorrent(infohash: string): void {
    const torrent = this.#torrents.get(infohash)
    if (torrent === undefined) return
    for (const agent of [...torrent.agents]) this.leave(agent.conn)
    this.#torrents.delete(infohash)
    this.#sort()
  }

  /**
   * An agent's connection is ready (it has sent `bs` = 1). Without an address it is the only one of its own.
   *
   * @param depth racks between its own and the server
   */
  join(
    conn: ConnId,
    infohash: string,
    rack: string,
    nowMs: number,
    { address = `${conn}`, depth = 0 }: { readonly address?: string; readonly depth?: number } = {},
  ): void {
    const torrent = this.#torrents.get(infohash)
    if (torrent === undefined || this.#agents.has(conn)) return
    this.#agents.set(conn, torrent.join(conn, { rack, depth, address }, nowMs))
  }

  /** An agent's rack is another, or hangs elsewhere. */
  move(conn: ConnId, rack: string, depth: number): void {
    const agent = this.#agents.get(conn)
    if (agent !== undefined) agent.torrent.move(agent, rack, depth)
  }

  leave(conn: ConnId): void {
    const agent = this.#agents.get(conn)
    if (agent === undefined) return
    this.#agents.delete(conn)
    this.#isolated.delete(agent)
    for (const given of agent.given.values()) if (given.inWindow) this.#inWindow--
    agent.torrent.leave(agent)
  }

  /** BEP 3 `bitfield` (also `have all`, as ones); bits past the end are ignored. */
  bitfield(conn: ConnId, bits: Uint8Array, nowMs: number): void {
    const agent = this.#agents.get(conn)
    if (agent === undefined) return
    for (let piece = 0; piece < agent.torrent.pieces; piece++) {
      if (((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0) this.#gain(agent, piece, nowMs)
    }
  }

  /** BEP 3 `have`; an index past the end is ignored. */
  have(conn: ConnId, piece: number, nowMs: number): void {
    const agent = this.#agents.get(conn)
    if (agent === undefined || !Number.isInteger(piece)) return
    if (piece < 0 || piece >= agent.torrent.pieces) return
    const isFirst = agent.torrent.copies[piece] === 0 && !agent.given.has(piece)
    if (this.#gain(agent, piece, nowMs) && isFirst) agent.torrent.brought(agent)
  }

  /** False when it was known that the agent has the piece. */
  #gain(agent: Agent, piece: number, nowMs: number): boolean {
    if (!agent.torrent.gain(agent, piece, nowMs)) return false
    agent.haveMs = nowMs
    agent.progressMs = nowMs
    agent.fed = 0
    const given = agent.torrent.release(agent, piece)
    if (given === undefined) {
      agent.isolated = false
      this.#isolated.delete(agent)
      return true
    }
    if (given.inWindow) this.#inWindow--
    agent.torrent.confirmed(agent)
    const bytes = agent.torrent.bytes(piece)
    const tookMs = Math.max(0.1, nowMs - Math.max(given.atMs, agent.confirmedMs))
    const rateBps = (bytes * 1000) / tookMs
    agent.rateBps = agent.rateBps === undefined ? rateBps : agent.rateBps * 0.75 + rateBps * 0.25
    agent.confirmedMs = nowMs
    this.#measure(nowMs - given.atMs)
    this.#window.confirmed(bytes, nowMs)
    return true
  }

  /** BEP 3 `interested`, `not interested`; an agent counts as interested until it sends `not interested`. */
  interest(conn: ConnId, interested: boolean): void {
    const agent = this.#agents.get(conn)
    if (agent !== undefined) agent.interested = interested
  }

  /** Payload has gone out to it. */
  sent(conn: ConnId, nowMs: number): void {
    const agent = this.#agents.get(conn)
    if (agent !== undefined) agent.progressMs = nowMs
  }

  /** True while agents are being served: others shall step back. */
  get busy(): boolean {
    return this.#inWindow > 0
  }

  /** Counters of a torrent. */
  stats(infohash: string): { agents: number; handouts: number; rescues: number; unheld: number } {
    const torrent = this.#torrents.get(infohash)
    return {
      agents: torrent?.agents.size ?? 0,
      handouts: torrent?.handouts ?? 0,
      rescues: torrent?.rescues ?? 0,
      unheld: torrent?.unheld ?? 0,
    }
  }

  /** What to hand out now. Call it after every input, and every 100 ms at least. */
  poll(nowMs: number): Grant[] {
    const grants: Grant[] = []
    if (nowMs - this.#sweptMs >= sweepMs) {
      this.#sweptMs = nowMs
      for (const torrent of this.#sorted) {
        this.#expire(torrent, nowMs)
        this.#rescue(torrent, nowMs, grants)
      }
    }
    for (const torrent of this.#sorted) {
      if (torrent.agents.size === 0) continue
      while (this.#inWindow < this.#window.size) {
        const piece = torrent.nextNeeded()
        if (piece === undefined) break
        const agent = this.#recipient(torrent, piece, nowMs)
        if (agent === undefined) break
        this.#grant(agent, piece, nowMs, grants)
      }
    }
    this.#feed(nowMs, grants)
    if (this.#inWindow + 1 < this.#window.size) this.#window.idle()
    return grants
  }

  #recipient(torrent: HandoutTorrent, piece: number, nowMs: number): Agent | undefined {
    return torrent.recipient(piece, {
      window: this.#window.size,
      nowMs,
      stallMs: this.#stallMs(),
      random: this.#random,
    })
  }

  #grant(agent: Agent, piece: number, nowMs: number, grants: Grant[]): void {
    const torrent = agent.torrent
    if ((torrent.handed[piece] ?? 0) === 0) torrent.handouts++
    else torrent.rescues++
    torrent.give(agent, piece, nowMs, nowMs + this.#allowanceMs(agent, piece))
    this.#inWindow++
    grants.push({ conn: agent.conn, piece })
  }

  /** How long this agent may take: four times what its rate says, doubled for each earlier try. */
  #allowanceMs(agent: Agent, piece: number): number {
    const torrent = agent.torrent
    let bytes = torrent.bytes(piece)
    for (const other of agent.given.keys()) bytes += torrent.bytes(other)
    const median = this.#medianMs()
    const ahead = this.#latenciesMs.length === 0 ? this.#inWindow : agent.given.size
    const own = agent.rateBps === undefined ? median * (ahead + 1) : (bytes * 1000) / agent.rateBps
    const tries = Math.min(6, torrent.handed[piece] ?? 0)
    return Math.min(deadlineMaxMs, Math.max(deadlineMinMs, 4 * Math.max(own, median)) * 2 ** tries)
  }

  /** Takes back what is overdue; what has stalled no longer holds the window. */
  #expire(torrent: HandoutTorrent, nowMs: number): void {
    const stallMs = this.#stallMs()
    // When all is handed out and the uplink is idle, a piece that no agent has delays all, and a second copy costs
    // nothing: then an agent has no longer than others took, however much it tells of other pieces.
    const isIdle = this.#inWindow < this.#window.size && torrent.nextNeeded() === undefined
    const idleMs =
      isIdle && this.#latenciesMs.length > 0
        ? Math.max(spreadLeastMs(torrent), spreadIdleTimes * this.#medianMs())
        : undefined
    for (const agent of torrent.agents) {
      for (const given of agent.given.values()) {
        if (given.inWindow && nowMs - Math.max(given.atMs, agent.progressMs) > stallMs) {
          given.inWindow = false
          this.#inWindow--
        }
        const tries = Math.min(6, Math.max(0, (torrent.handed[given.piece] ?? 0) - 1))
        const isLost =
          idleMs !== undefined &&
          torrent.copies[given.piece] === 0 &&
          nowMs - given.atMs > idleMs * 2 ** tries
        if (nowMs < given.deadlineMs && !isLost) continue
        const flowing = nowMs - agent.progressMs < Math.max(1_000, (nowMs - given.atMs) / 4)
        if (flowing && !isLost && given.extensions < extensionsMax) {
          given.extensions++
          given.deadlineMs = nowMs + (nowMs - given.atMs)
          continue
        }
        if (given.inWindow) this.#inWindow--
        torrent.strike(agent)
        agent.progressMs = nowMs
        torrent.release(agent, given.piece)
      }
    }
  }

  /** Pieces that stay with one holder, and agents that receive nothing from any peer. */
  #rescue(torrent: HandoutTorrent, nowMs: number, grants: Grant[]): void {
    if (torrent.agents.size < 2 || torrent.nextNeeded() !== undefined) return
    const median = this.#latenciesMs.length === 0 ? 0 : this.#medianMs()
    for (let piece = 0; piece < torrent.pieces && this.#inWindow < this.#window.size; piece++) {
      if (torrent.copies[piece] !== 1 || torrent.outstanding[piece] !== 0) continue
      const tries = Math.min(6, Math.max(0, (torrent.handed[piece] ?? 0) - 1))
      const times = this.#inWindow < idleHandoutsMax ? spreadIdleTimes : spreadTimes
      const patienceMs = Math.max(spreadLeastMs(torrent), times * median) * 2 ** tries
      if (nowMs - (torrent.movedMs[piece] ?? 0) < patienceMs) continue
      const agent = this.#recipient(torrent, piece, nowMs)
      if (agent !== undefined) this.#grant(agent, piece, nowMs, grants)
    }
    const starveMs = Math.max(starveMinMs, 16 * median)
    for (const agent of torrent.agents) {
      if (agent.isolated || !agent.interested || agent.haveCount === torrent.pieces || agent.given.size > 0)
        continue
      // Each rack on the way takes its time.
      const patienceMs = starveMs * (1 + agent.rack.depth)
      if (nowMs - agent.haveMs < patienceMs * 2 ** Math.min(6, agent.fed)) continue
      agent.fed++
      torrent.disbelieve(agent)
      agent.haveMs = nowMs
      agent.isolated = true
      this.#isolated.add(agent)
    }
  }

  /** Feeds agents that receive nothing from peers, two pieces at a time. */
  #feed(nowMs: number, grants: Grant[]): void {
    for (const agent of this.#isolated) {
      if (!agent.interested || agent.strikes > 0) continue
      while (this.#inWindow < this.#window.size && agent.given.size < 2) {
        const piece = agent.torrent.nextLacking(agent)
        if (piece === undefined) break
        this.#grant(agent, piece, nowMs, grants)
      }
    }
  }

  #measure(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs)
    if (this.#latenciesMs.length > 15) this.#latenciesMs.shift()
  }

  #medianMs(): number {
    if (this.#latenciesMs.length === 0) return latencyGuessMs
    const sorted = [...this.#latenciesMs].sort((a, b) => a - b)
    return sorted[sorted.length >> 1] ?? latencyGuessMs
  }

  #stallMs(): number {
    return Math.max(stallMinMs, 2 * this.#medianMs())
  }

  #sort(): void {
    this.#sorted = [...this.#torrents.values()].sort((a, b) => a.priority - b.priority || a.order - b.order)
  }
}

/** How long a piece may stay with a single holder at least. */
function spreadLeastMs(torrent: HandoutTorrent): number {
  return torrent.agents.size > crowdAgents ? spreadCrowdMinMs : spreadMinMs
}
