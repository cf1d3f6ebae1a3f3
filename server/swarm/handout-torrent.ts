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
  rack: string
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

interface Rack {
  agents: Set<Agent>
  outstanding: number
  /** Pieces that came into the farm through it. */
  received: number
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
  readonly racks = new Map<string, Rack>()
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

  join(conn: ConnId, rackName: string, address: string, nowMs: number): Agent {
    const agent: Agent = {
      conn,
      address,
      proven: false,
      rack: rackName,
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
    const rack = this.racks.get(rackName) ?? { agents: new Set(), outstanding: 0, received: 0 }
    this.racks.set(rackName, rack)
    rack.agents.add(agent)
    this.agents.add(agent)
    this.#places.join(address)
    return agent
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
    const rack = this.racks.get(agent.rack)
    rack?.agents.delete(agent)
    if (rack?.agents.size === 0) this.racks.delete(agent.rack)
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
    const rack = this.racks.get(agent.rack)
    if (rack !== undefined) {
      rack.outstanding++
      rack.received++
    }
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
    const rack = this.racks.get(agent.rack)
    if (rack !== undefined) rack.received++
  }

  /** Takes a hand-out off the books: confirmed, overdue, or its holder gone. */
  release(agent: Agent, piece: number): Given | undefined {
    const given = agent.given.get(piece)
    if (given === undefined) return undefined
    agent.given.delete(piece)
    this.outstanding[piece] = Math.max(0, (this.outstanding[piece] ?? 0) - 1)
    const rack = this.racks.get(agent.rack)
    if (rack !== undefined) rack.outstanding--
    this.#places.release(agent.address)
    if (this.copies[piece] === 0) this.#hint = Math.min(this.#hint, piece)
    return given
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
   * Who shall get this piece: in the rack with the fewest unconfirmed hand-outs, then the fewest copies
   * received, an agent that does not lag, with the fewest strikes, unconfirmed (also those of its address), and pieces given,
   * ties at random.
   */
  recipient(
    piece: number,
    limits: { perAgent: number; nowMs: number; stallMs: number; random: () => number },
  ): Agent | undefined {
    let best: Agent | undefined
    let bestRack: Rack | undefined
    for (const rack of this.racks.values()) {
      if (bestRack !== undefined && compareRacks(rack, bestRack) > 0) continue
      const agent = this.#bestOf(rack, piece, limits)
      if (agent === undefined) continue
      if (bestRack !== undefined && compareRacks(rack, bestRack) === 0 && limits.random() < 0.5) continue
      best = agent
      bestRack = rack
    }
    return best
  }

  #bestOf(
    rack: Rack,
    piece: number,
    limits: { perAgent: number; nowMs: number; stallMs: number; random: () => number },
  ): Agent | undefined {
    let best: Agent | undefined
    let ties = 1
    for (const agent of rack.agents) {
      if (!agent.interested || agent.given.size >= limits.perAgent) continue
      if (this.has(agent, piece) || agent.given.has(piece)) continue
      // An agent with an overdue hand-out gets no other; one that missed deadlines is tried less and less often.
      if (agent.given.size > 0 && limits.nowMs - agent.progressMs > limits.stallMs) continue
      if (agent.strikes > 0 && limits.nowMs - agent.progressMs < strikePauseMs(agent.strikes)) continue
      const order = best === undefined ? -1 : this.#compareAgents(agent, best)
      if (order > 0) continue
      ties = order === 0 ? ties + 1 : 1
      if (ties === 1 || limits.random() * ties < 1) best = agent
    }
    return best
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

function compareRacks(a: Rack, b: Rack): number {
  return a.outstanding - b.outstanding || a.received - b.received
}
