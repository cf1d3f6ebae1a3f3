/**
 * Who may load kernel and stage 1 now, and who waits. Pure; time is an argument, milliseconds of a clock that never goes
 * back.
 *
 * These bytes go through the uplink once for each node. Five hundred nodes at once would all be done at the very end;
 * a few at a time, at full speed, are done one after the other, and pass on what comes later. So those who came first
 * finish first: a turn is for a node, for kernel and stage 1 together, and ends when both are there.
 *
 * A turn that moves little while others wait is given to the next, but its downloads go on: iPXE cannot resume one, and a
 * node on a slow link, cut off each time, would never boot. It is overtaken, and no longer counts. What is under way is
 * bounded all the same, and where an address has more of it than its share, its slowest makes room.
 */
import { BOOT_QUEUE_MAX, BOOT_QUEUE_OF_ADDRESS_MAX } from '../../src/limits.js'
import { WaitingLine } from './waiting-line.js'

/** Times, milliseconds. */
export const queueTimes = {
  /** A turn that no download follows is another node's after this. iPXE begins within milliseconds; if not, it is served late. */
  unused: 1000,
  /** A node that loads nothing has to ask anew after this. */
  forgotten: 10_000,
  /** A turn is judged by what it has moved when it is this old. When all of them crawl, somebody gets one after this. */
  judged: 5000,
  /** A turn this old does not count, and makes room when all is taken: 10 MB for each of 16 nodes over 4.5 Mbit/s. */
  longest: 300_000,
  /** An answer may be held back so long: iPXE gives up after 3 s without progress. */
  hold: 2000,
  /** A node that does not return when it should is forgotten after this. */
  grace: 10_000,
  /** How long a node takes, before the first has been seen. */
  firstGuess: 500,
} as const

/** Longest sleep that a node is told, seconds: a guess that is wrong leaves slots empty for so long. */
const sleepMaxS = 3

/** So many requests are held at least: enough to go on with while all others sleep. */
const heldMin = 64

/** A turn crawls when it moves less than this share of what turns moved that ended, had all slots been in use. */
const crawlShare = 1 / 4

/** Turns, overtaken ones included, for each slot: each is a connection and a buffer. */
const turnsPerSlot = 8
/** Where nothing says which turns crawl: more would only let more of them share the same link. */
const turnsPerSlotUnjudged = 2

/** Places are looked through this often for those that lapse, milliseconds: a flood of questions does not make it more work. */
const lapseEveryMs = 250

/** Downloads of one node at a time: what a machine that was switched off and on left behind may linger. */
const loadsPerTurn = 2

/** The answer to a node that wants to boot. */
export type QueueAnswer =
  | { readonly kind: 'go' }
  | {
      readonly kind: 'wait'
      /** The answer may be held back until the turn comes, at most so long; 0: answer now. */
      readonly holdMs: number
    }

/** What a node is told that has to wait. */
export interface QueuePlace {
  /** From 1. */
  readonly position: number
  readonly of: number
  /** When it shall ask again. */
  readonly sleepS: number
}

/** What has come of a call. */
export interface QueueChanges {
  /** Nodes, by {@link nodeKey}, that have their turn now. */
  readonly given: readonly string[]
  /** Downloads that make room: their connections are to be closed. */
  readonly closed: readonly number[]
}

interface Turn {
  readonly mac: string
  readonly address: string
  readonly sinceMs: number
  /** It takes a slot. */
  counts: boolean
  /** When a download began or ended last. */
  lastMs: number
  /** What each download under way has moved, bytes. */
  readonly loads: Map<number, number>
  /** What those have moved that ended, bytes. */
  endedBytes: number
  /** The files that are there. */
  readonly whole: Set<string>
}

/** The queue's figures. */
export interface QueueStats {
  readonly slots: number
  readonly loading: readonly string[]
  /** Of those that load, the ones that no longer take a slot. */
  readonly overtaken: number
  readonly waiting: number
  /** How long the first of them has been waiting, seconds. */
  readonly longestWaitS: number
  readonly admitted: number
  readonly completed: number
  /** Turns that ended without kernel and stage 1. */
  readonly expired: number
}

/** A node as the queue knows it. Of one MAC address at two IP addresses, one is an invention. */
export function nodeKey(mac: string, address: string): string {
  return `${mac} ${address}`
}

/** The queue of one server. */
export class BootQueue {
  readonly #slots: number
  readonly #turns = new Map<string, Turn>()
  readonly #turnsOf = new Map<string, number>()
  readonly #keyOfLoad = new Map<number, string>()
  readonly #line: WaitingLine
  #given: string[] = []
  #closed: number[] = []
  #loads = 0
  #givenMs = Number.NEGATIVE_INFINITY
  #lapsedMs = Number.NEGATIVE_INFINITY
  #serviceMs: number = queueTimes.firstGuess
  /** What a turn moved on average that ended with both files, bytes a millisecond; 0 before the first. */
  #pace = 0
  #admitted = 0
  #completed = 0
  #expired = 0

  /** So many nodes load at a time; so many more are remembered. */
  constructor(slots: number, waitingMax = BOOT_QUEUE_MAX, waitingOfAddressMax = BOOT_QUEUE_OF_ADDRESS_MAX) {
    this.#slots = slots
    this.#line = new WaitingLine(waitingMax, waitingOfAddressMax)
  }

  /** Somebody waits: time alone changes things. */
  get hasWaiting(): boolean {
    return this.#line.size > 0
  }

  /** A node wants to boot: now, or when its turn comes. Asking again keeps its place. */
  ask(mac: string, address: string, nowMs: number): QueueAnswer {
    const key = nodeKey(mac, address)
    if (this.#turns.has(key)) return { kind: 'go' }
    const place = this.#line.ask(key, address, nowMs, nowMs + queueTimes.hold + queueTimes.grace)
    this.settle(nowMs)
    if (this.#turns.has(key)) {
      this.#given = this.#given.filter((other) => other !== key)
      return { kind: 'go' }
    }
    const holdMs = this.#sleepS(this.#position(key)) === 0 ? queueTimes.hold : 0
    if (holdMs === 0 && place !== undefined) place.isHeld = false
    return { kind: 'wait', holdMs }
  }

  /** The request of a node that has to wait is answered, or gone. */
  answered(mac: string, address: string, nowMs: number): QueuePlace {
    const key = nodeKey(mac, address)
    const position = this.#position(key)
    const sleepS = this.#sleepS(position)
    const place = this.#line.get(key)
    if (place !== undefined) {
      place.isHeld = false
      place.dueMs = nowMs + sleepS * 1000 + queueTimes.grace
    }
    return { position, of: Math.max(position, this.#line.size), sleepS }
  }

  /** A node begins to load a file: the number of the download; undefined: it is not its turn. */
  loading(mac: string, address: string, file: string, nowMs: number): number | undefined {
    this.settle(nowMs)
    const key = nodeKey(mac, address)
    const turn = this.#turns.get(key)
    if (turn === undefined) return undefined
    // Its turn was for one copy of each.
    if (turn.whole.has(file)) turn.counts = false
    for (const oldest of turn.loads.keys()) {
      if (turn.loads.size < loadsPerTurn) break
      this.#close(oldest, turn)
    }
    const load = this.#loads++
    turn.loads.set(load, 0)
    this.#keyOfLoad.set(load, key)
    turn.lastMs = nowMs
    return load
  }

  /** A download has moved so many bytes by now. */
  moved(load: number, bytes: number): void {
    const turn = this.#turnOfLoad(load)
    if (turn !== undefined) turn.loads.set(load, Math.max(bytes, turn.loads.get(load) ?? 0))
  }

  /** Whether the turn of a download does not count, or would not if somebody waited. */
  isCrawling(load: number, nowMs: number): boolean {
    const turn = this.#turnOfLoad(load)
    return turn === undefined || !turn.counts || this.#isOver(turn, nowMs)
  }

  /** A download has ended. `of` are the files that the node needs in all. */
  loaded(load: number, file: string, isWhole: boolean, of: number, nowMs: number): void {
    const key = this.#keyOfLoad.get(load)
    const turn = this.#turnOfLoad(load)
    if (key === undefined || turn === undefined) return
    this.#keyOfLoad.delete(load)
    turn.endedBytes += turn.loads.get(load) ?? 0
    turn.loads.delete(load)
    turn.lastMs = nowMs
    if (isWhole) turn.whole.add(file)
    if (turn.whole.size >= of) this.#complete(key, turn, nowMs)
    this.settle(nowMs)
  }

  /** Takes turns back, and gives those that are free. To be called now and then while somebody waits. */
  settle(nowMs: number): void {
    if (nowMs - this.#lapsedMs >= lapseEveryMs) {
      this.#line.expire(nowMs)
      this.#lapsedMs = nowMs
    }
    for (const [key, turn] of this.#turns) {
      if (turn.loads.size === 0 && nowMs - turn.lastMs > queueTimes.forgotten) this.#drop(key)
      else if (this.#line.size > 0 && turn.counts && this.#isOver(turn, nowMs)) turn.counts = false
    }
    const turnsOf = (address: string) => this.#turnsOf.get(address) ?? 0
    while (this.#hasFreeSlot() || nowMs - this.#givenMs > queueTimes.judged) {
      const next = this.#line.first(turnsOf)
      if (next === undefined || !this.#makeFree(next.address, nowMs)) return
      this.#give(next.key, next.address, nowMs)
    }
  }

  /** What has come of the calls since the last time. */
  takeChanges(): QueueChanges {
    const changes = { given: this.#given, closed: this.#closed }
    this.#given = []
    this.#closed = []
    return changes
  }

  stats(nowMs: number): QueueStats {
    this.settle(nowMs)
    const turns = [...this.#turns.values()]
    return {
      slots: this.#slots,
      loading: turns.map(({ mac }) => mac),
      overtaken: turns.filter(({ counts }) => !counts).length,
      waiting: this.#line.size,
      longestWaitS: Math.round((nowMs - (this.#line.firstSinceMs ?? nowMs)) / 1000),
      admitted: this.#admitted,
      completed: this.#completed,
      expired: this.#expired,
    }
  }

  #position(key: string): number {
    return this.#line.position(key, (address) => this.#turnsOf.get(address) ?? 0)
  }

  /** 0: near its turn, its request is held instead. Else woken a little early, to be held when the turn comes. */
  #sleepS(position: number): number {
    const turnMs = (position * this.#serviceMs) / this.#slots
    if (position <= Math.max(heldMin, 2 * this.#slots) || turnMs <= 2 * queueTimes.hold) return 0
    return Math.min(sleepMaxS, Math.max(1, Math.floor((turnMs - queueTimes.hold) / 1000)))
  }

  /** A turn that does not count if others wait. */
  #isOver(turn: Turn, nowMs: number): boolean {
    if (turn.loads.size === 0 && nowMs - turn.lastMs > queueTimes.unused) return true
    const ageMs = nowMs - turn.sinceMs
    if (ageMs > queueTimes.longest) return true
    return ageMs > queueTimes.judged && movedBytes(turn) < (ageMs * this.#pace * crawlShare) / this.#slots
  }

  #hasFreeSlot(): boolean {
    return this.#those(({ counts }) => counts).length < this.#slots
  }

  /** Whether a node at an address can have a turn now; another one is overtaken or ended for it. */
  #makeFree(address: string, nowMs: number): boolean {
    if (this.#hasFreeSlot()) return this.#makeRoom(turnsPerSlot * this.#slots, address, nowMs)
    // All crawl alike, and nothing tells whether by intent or by a slow link: one more shows it.
    const old = this.#those(({ counts, sinceMs }) => counts && nowMs - sinceMs > queueTimes.judged)
    const slowest = slowestOf(this.#ofTheGreediest(old), nowMs)
    if (slowest === undefined || !this.#makeRoom(turnsPerSlotUnjudged * this.#slots, address, nowMs))
      return false
    slowest.counts = false
    return true
  }

  /**
   * Whether there are fewer than `max` turns, or an overtaken one could be ended: one that loads nothing; the slowest of
   * an address that has more than its share; one that has lasted too long.
   */
  #makeRoom(max: number, address: string, nowMs: number): boolean {
    if (this.#turns.size < max) return true
    const overtaken = this.#those(({ counts }) => !counts)
    const [idle] = overtaken.filter(({ loads }) => loads.size === 0).sort((a, b) => a.lastMs - b.lastMs)
    const greedy = this.#ofTheGreediest(overtaken)
    const isFair = (this.#turnsOf.get(greedy[0]?.address ?? '') ?? 0) <= (this.#turnsOf.get(address) ?? 0) + 1
    const old = overtaken.filter(({ sinceMs }) => nowMs - sinceMs > queueTimes.longest)
    const victim = idle ?? slowestOf(isFair ? old : greedy, nowMs)
    if (victim === undefined) return false
    this.#drop(nodeKey(victim.mac, victim.address))
    return true
  }

  #those(isOne: (turn: Turn) => boolean): Turn[] {
    return [...this.#turns.values()].filter(isOne)
  }

  /** Those of the address that has most turns. */
  #ofTheGreediest(turns: readonly Turn[]): Turn[] {
    const count = ({ address }: Turn) => this.#turnsOf.get(address) ?? 0
    const most = Math.max(0, ...turns.map(count))
    return turns.filter((turn) => count(turn) === most)
  }

  #give(key: string, address: string, nowMs: number): void {
    this.#line.leave(key)
    const [mac = ''] = key.split(' ', 1)
    const turn = { mac, address, sinceMs: nowMs, lastMs: nowMs, counts: true, endedBytes: 0 }
    this.#turns.set(key, { ...turn, loads: new Map(), whole: new Set() })
    this.#turnsOf.set(address, (this.#turnsOf.get(address) ?? 0) + 1)
    this.#given.push(key)
    this.#givenMs = nowMs
    this.#admitted += 1
  }

  #complete(key: string, turn: Turn, nowMs: number): void {
    const tookMs = Math.max(1, nowMs - turn.sinceMs)
    const pace = (turn.endedBytes + sum(turn.loads.values())) / tookMs
    this.#pace = this.#pace === 0 ? pace : this.#pace * 0.8 + pace * 0.2
    // Of those that count alone: they are what the next one waits for.
    if (turn.counts) this.#serviceMs = this.#serviceMs * 0.8 + tookMs * 0.2
    this.#completed += 1
    this.#remove(key)
  }

  /** A turn ends without its files. */
  #drop(key: string): void {
    this.#expired += 1
    this.#remove(key)
  }

  #remove(key: string): void {
    const turn = this.#turns.get(key)
    if (turn === undefined) return
    for (const load of turn.loads.keys()) this.#close(load, turn)
    this.#turns.delete(key)
    const left = (this.#turnsOf.get(turn.address) ?? 1) - 1
    if (left > 0) this.#turnsOf.set(turn.address, left)
    else this.#turnsOf.delete(turn.address)
  }

  #close(load: number, turn: Turn): void {
    turn.loads.delete(load)
    this.#keyOfLoad.delete(load)
    this.#closed.push(load)
  }

  #turnOfLoad(load: number): Turn | undefined {
    const key = this.#keyOfLoad.get(load)
    return key === undefined ? undefined : this.#turns.get(key)
  }
}

function movedBytes({ endedBytes, loads }: Turn): number {
  return endedBytes + sum(loads.values())
}

function slowestOf(turns: readonly Turn[], nowMs: number): Turn | undefined {
  let slowest: Turn | undefined
  let least = Number.POSITIVE_INFINITY
  for (const turn of turns) {
    const pace = movedBytes(turn) / Math.max(1, nowMs - turn.sinceMs)
    if (pace >= least) continue
    slowest = turn
    least = pace
  }
  return slowest
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
