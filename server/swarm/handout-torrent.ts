/**
 * What the origin knows of one torrent's swarm: which agent has what, what was handed to whom and when.
 * Bookkeeping and the choice of piece and recipient; the pace is handout.ts. No I/O, no clock.
 */

/**
 * Who has told of less than this part of what all have told of in the mean lags, once that is so many pieces: a slow node, with
 * which a hand-out stays while the whole farm waits for it. It may not know it, or say so over a link that is full.
 */
const LAG_TIMES = 3
const LAG_PIECES_MIN = 6

import { HandoutPlaces } from './handout-places.js'
import { HandoutRacks, type Rack, type Tier } from './handout-racks.js'

/** Numbers a connection; the adapter chooses them. */
export type ConnId = number

/** An agent's copy of a hand-out that has not been confirmed by its HAVE. */
interface Given {
  piece: number
  atMs: number
  deadlineMs: number
  /** How often the deadline was put off because bytes still flowed. */
  extensions: number
  /** It counts towards the window. */
  inWindow: boolean
}

/** One agent's connection for one torrent. */
export interface Agent {
  conn: ConnId
  address: string
  /** It has confirmed a hand-out. */
  proven: boolean
  rack: Rack<Agent>
  torrent: HandoutTorrent
  have: Uint8Array
  haveCount: number
  interested: boolean
  given: Map<number, Given>
  /** Pieces handed to it so far. */
  givenCount: number
  /** Deadlines it missed since its last HAVE of a hand-out. */
  strikes: number
  /** When the last byte was sent to it, or it announced a piece. */
  progressMs: number
  /** When it last announced a new piece (or joined). */
  haveMs: number
  /** Bytes a second of its own hand-outs; undefined before the first. */
  rateBps: number | undefined
  confirmedMs: number
  /** How often it was fed because it starved. */
  fed: number
  /** Nobody but the origin gives it anything: it is served until it gets a piece from elsewhere. */
  isolated: boolean
}

/** By what a recipient is chosen. */
export interface RecipientLimits {
  /** Hand-outs that may be under way in all. */
  readonly window: number
  readonly nowMs: number
  /** An agent with a hand-out that has not moved for so long gets no other. */
  readonly stallMs: number
  readonly random: () => number
}

/** The state of one torrent. */
export class HandoutTorrent {
  readonly infohash: string
  readonly pieces: number
  readonly pieceLength: number
  readonly sizeBytes: number
  /** Smaller goes first. */
  priority: number
  readonly agents = new Set<Agent>()
  readonly #racks = new HandoutRacks<Agent>()
  readonly #places = new HandoutPlaces()
  /** How many connected agents have each piece. */
  readonly copies: Uint32Array
  /** How many hand-outs of each piece are unconfirmed and within their deadline. */
  readonly outstanding: Uint16Array
  /** How often each piece was handed out. */
  readonly handed: Uint16Array
  /** When each piece last got a new copy, or was handed out. */
  readonly movedMs: Float64Array
  /** No piece below it is needed. */
  #hint = 0
  /** Pieces that all connected agents have announced, in total. */
  #haveTotal = 0
  handouts = 0
  rescues = 0
  /** Pieces that no connected agent has. */
  unheld: number

  constructor(
    spec: { infohash: string; sizeBytes: number; pieceLength: number; priority: number },
    readonly order: number,
  ) {
    this.infohash = spec.infohash
    this.sizeBytes = spec.sizeBytes
    this.pieceLength = spec.pieceLength
    this.priority = spec.priority
    this.pieces = Math.max(1, Math.ceil(spec.sizeBytes / spec.pieceLength))
    this.unheld = this.pieces
    this.copies = new Uint32Array(this.pieces)
    this.outstanding = new Uint16Array(this.pieces)
    this.handed = new Uint16Array(this.pieces)
    this.movedMs = new Float64Array(this.pieces)
  }

  /** Bytes of a piece; the last may be shorter. */
  bytes(piece: number): number {
    return piece === this.pieces - 1 ? this.sizeBytes - piece * this.pieceLength : this.pieceLength
  }

  has(agent: Agent, piece: number): boolean {
    return ((agent.have[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
  }

  /** @param from its rack, so many racks away from the server */
  join(
    conn: ConnId,
    from: { readonly rack: string; readonly depth: number; readonly address: string },
    nowMs: number,
  ): Agent {
    const agent: Agent = {
      conn,
      address: from.address,
      proven: false,
      rack: this.#racks.at(from.rack, from.depth),
      torrent: this,
      have: new Uint8Array(Math.ceil(this.pieces / 8)),
      haveCount: 0,
      interested: true,
      given: new Map(),
      givenCount: 0,
      strikes: 0,
      progressMs: nowMs,
      haveMs: nowMs,
      rateBps: undefined,
      confirmedMs: nowMs,
      fed: 0,
      isolated: false,
    }
    this.#racks.add(agent)
    this.agents.add(agent)
    this.#places.join(from.address)
    return agent
  }

  /** An agent turns out to be in another rack. */
  move(agent: Agent, rackName: string, depth: number): void {
    if (agent.rack.name === rackName && agent.rack.depth === depth) return
    this.#racks.delete(agent)
    agent.rack.outstanding -= agent.given.size
    agent.rack = this.#racks.at(rackName, depth)
    agent.rack.outstanding += agent.given.size
    this.#racks.add(agent)
  }

  leave(agent: Agent): void {
    if (agent.given.size > 0) this.#places.strike(agent.address)
    for (const piece of [...agent.given.keys()]) this.release(agent, piece)
    for (let piece = 0; piece < this.pieces; piece++) {
      if (this.has(agent, piece)) this.#lose(piece)
    }
    if (this.agents.delete(agent)) {
      this.#haveTotal -= agent.haveCount
      this.#places.leave(agent.address, agent.proven)
    }
    this.#racks.delete(agent)
  }

  /** Notes that an agent has a piece; false when that was known. */
  gain(agent: Agent, piece: number, nowMs: number): boolean {
    if (this.has(agent, piece)) return false
    const byte = piece >> 3
    agent.have[byte] = (agent.have[byte] ?? 0) | (0x80 >> (piece & 7))
    agent.haveCount++
    this.#haveTotal++
    const copies = (this.copies[piece] ?? 0) + 1
    this.copies[piece] = copies
    if (copies === 1) this.unheld--
    this.movedMs[piece] = nowMs
    return true
  }

  /** Notes a hand-out. */
  give(agent: Agent, piece: number, nowMs: number, deadlineMs: number): void {
    agent.given.set(piece, { piece, atMs: nowMs, deadlineMs, extensions: 0, inWindow: true })
    agent.givenCount++
    this.outstanding[piece] = (this.outstanding[piece] ?? 0) + 1
    this.handed[piece] = Math.min(0xffff, (this.handed[piece] ?? 0) + 1)
    this.movedMs[piece] = nowMs
    agent.rack.outstanding++
    agent.rack.received++
    this.#places.give(agent.address)
  }

  /** It has announced a piece that it was handed. */
  confirmed(agent: Agent): void {
    this.#places.confirm(agent.address, agent.proven)
    agent.proven = true
    agent.strikes = 0
  }

  /** It has not confirmed a hand-out in time. */
  strike(agent: Agent): void {
    agent.strikes++
    this.#places.strike(agent.address)
  }

  /**
   * An agent got a piece that no agent had, other than from the seeder: by HTTPS. All other racks will take it from its rack
   * as they do with what was handed out, so it counts like that.
   */
  brought(agent: Agent): void {
    agent.rack.received++
  }

  /** Takes a hand-out off the books: confirmed, overdue, or its holder gone. */
  release(agent: Agent, piece: number): Given | undefined {
    const given = agent.given.get(piece)
    if (given === undefined) return undefined
    agent.given.delete(piece)
    this.outstanding[piece] = Math.max(0, (this.outstanding[piece] ?? 0) - 1)
    agent.rack.outstanding--
    this.#places.release(agent.address)
    if (this.copies[piece] === 0) this.#hint = Math.min(this.#hint, piece)
    return given
  }

  /**
   * An agent has starved: of what it lacks nobody may have the pieces that were never handed out here, whoever says so. They are handed
   * out, once. Whoever said that he has everything would end the hand-out otherwise.
   */
  disbelieve(agent: Agent): void {
    for (let piece = 0; piece < this.pieces; piece++) {
      if (this.handed[piece] !== 0 || this.copies[piece] === 0 || this.has(agent, piece)) continue
      this.copies[piece] = 0
      this.unheld++
      this.#hint = Math.min(this.#hint, piece)
    }
  }

  /** The lowest piece that this agent lacks and that is not being handed out, or undefined. */
  nextLacking(agent: Agent): number | undefined {
    for (let piece = 0; piece < this.pieces; piece++) {
      if (!this.has(agent, piece) && this.outstanding[piece] === 0) return piece
    }
    return undefined
  }

  /** The lowest piece that no agent has and that is not being handed out, or undefined. */
  nextNeeded(): number | undefined {
    while (this.#hint < this.pieces) {
      const piece = this.#hint
      if (this.copies[piece] === 0 && this.outstanding[piece] === 0) return piece
      this.#hint++
    }
    return undefined
  }

  /**
   * Who shall get this piece: of the racks nearest to the server with an agent that can take it, in the one with the fewest
   * unconfirmed hand-outs, then the fewest copies received, an agent that does not lag, with the fewest strikes, unconfirmed
   * (also those of its address), and pieces given, ties at random. Racks behind those get it from them: who is busy there is
   * waited for, but nobody who owes a hand-out.
   */
  recipient(piece: number, limits: RecipientLimits): Agent | undefined {
    let owing: Agent | undefined
    for (const tier of this.#racks.tiers) {
      const best = this.#bestIn(tier, piece, limits)
      if (best !== undefined && this.#strikes(best) === 0) return best
      owing ??= best
      if (this.#isWorthWaiting(tier, piece, limits)) break
    }
    return owing
  }

  #bestIn(tier: Tier<Agent>, piece: number, limits: RecipientLimits): Agent | undefined {
    // A few recipients at a time, each with the next piece already waiting; a lone node gets all of it.
    const perAgent = Math.max(2, Math.ceil(limits.window / tier.agents))
    let best: Agent | undefined
    let bestRack: Rack<Agent> | undefined
    for (const rack of tier.racks) {
      if (bestRack !== undefined && compareRacks(rack, bestRack) > 0) continue
      const agent = this.#bestOf(rack, piece, perAgent, limits)
      if (agent === undefined) continue
      if (bestRack !== undefined && compareRacks(rack, bestRack) === 0 && limits.random() < 0.5) continue
      best = agent
      bestRack = rack
    }
    return best
  }

  #bestOf(rack: Rack<Agent>, piece: number, perAgent: number, limits: RecipientLimits): Agent | undefined {
    let best: Agent | undefined
    let ties = 1
    for (const agent of rack.agents) {
      if (agent.given.size >= perAgent || !this.#takes(agent, piece, limits)) continue
      const order = best === undefined ? -1 : this.#compareAgents(agent, best)
      if (order > 0) continue
      ties = order === 0 ? ties + 1 : 1
      if (ties === 1 || limits.random() * ties < 1) best = agent
    }
    return best
  }

  /** Whether an agent of these can take a piece as soon as it is no longer busy. */
  #isWorthWaiting({ racks }: Tier<Agent>, piece: number, limits: RecipientLimits): boolean {
    for (const { agents } of racks) {
      for (const agent of agents) {
        if (this.#strikes(agent) === 0 && this.#takes(agent, piece, limits)) return true
      }
    }
    return false
  }

  /** Whether an agent can take a piece, however many it is being handed. */
  #takes(agent: Agent, piece: number, { nowMs, stallMs }: RecipientLimits): boolean {
    if (!agent.interested || this.has(agent, piece) || agent.given.has(piece)) return false
    // An agent with an overdue hand-out gets no other; one that missed deadlines is tried less and less often.
    if (agent.given.size > 0 && nowMs - agent.progressMs > stallMs) return false
    return agent.strikes === 0 || nowMs - agent.progressMs >= strikePauseMs(agent.strikes)
  }

  #compareAgents(a: Agent, b: Agent): number {
    return (
      Number(this.#lags(a)) - Number(this.#lags(b)) ||
      this.#strikes(a) - this.#strikes(b) ||
      this.#load(a) - this.#load(b) ||
      a.givenCount - b.givenCount
    )
  }

  #strikes(agent: Agent): number {
    return Math.max(agent.strikes, this.#places.strikes(agent.address))
  }

  /** How many hand-outs it holds, or its address for each of its agents. */
  #load(agent: Agent): number {
    return Math.max(agent.given.size, this.#places.load(agent.address))
  }

  #lags(agent: Agent): boolean {
    const mean = this.#haveTotal / Math.max(1, this.agents.size)
    return mean >= LAG_PIECES_MIN && agent.haveCount * LAG_TIMES < mean
  }

  #lose(piece: number): void {
    const copies = (this.copies[piece] ?? 0) - 1
    this.copies[piece] = Math.max(0, copies)
    if (copies === 0) this.unheld++
    if (copies <= 0) this.#hint = Math.min(this.#hint, piece)
  }
}

/** How long an agent that missed so many deadlines gets nothing: 0.5 s doubling to 32 s. */
function strikePauseMs(strikes: number): number {
  return 250 * 2 ** Math.min(strikes, 7)
}

function compareRacks(a: Rack<Agent>, b: Rack<Agent>): number {
  return a.outstanding - b.outstanding || a.received - b.received
}
