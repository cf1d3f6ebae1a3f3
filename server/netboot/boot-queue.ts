/**
 * Who may load kernel and stage 1 now, and who waits. Pure; time is an argument, milliseconds of a clock that never goes
 * back.
 *
 * These bytes go through the uplink once for each node. Five hundred nodes at once would all be done at the very end;
 * a few at a time, at full speed, are done one after the other, and pass on what comes later. So those who came first
 * finish first: an admission is for a node, for kernel and stage 1 together, and ends when both are there, when it is
 * not used, or when it has lasted too long.
 */
import { BOOT_QUEUE_MAX } from '../../src/limits.js'

/** Times, milliseconds. */
export const queueTimes = {
  /** An admission without a fetch ends after this. */
  unused: 10_000,
  /**
   * An admission ends after this in any case; its transfer may go on. Long enough for 10 MB to each of eight nodes over
   * 4 Mbit/s: ending them earlier would only let more of them share the same link.
   */
  longest: 300_000,
  /** An answer may be held back so long: iPXE gives up after 3 s without progress. */
  hold: 2000,
  /** A node that does not return when it should is forgotten after this. */
  grace: 10_000,
  /** How long a node takes, before the first has been seen. */
  firstGuess: 500,
} as const

/** Longest sleep that a node is told, seconds: a guess that is wrong leaves places empty for so long. */
const sleepMaxS = 3

/** So many requests are held at least: enough to go on with while all others sleep. */
const heldMin = 64

/** The answer to a node that wants to boot. */
export type QueueAnswer =
  | { readonly kind: 'go' }
  | {
      readonly kind: 'wait'
      /** From 1. */
      readonly position: number
      readonly of: number
      /** The answer may be held back until something changes, at most so long; 0: answer now. */
      readonly holdMs: number
      /** When it is answered, the node shall sleep so long. */
      readonly sleepS: number
    }

interface Active {
  readonly sinceMs: number
  lastMs: number
  running: number
  readonly fetched: Set<string>
}

interface Waiting {
  readonly sinceMs: number
  /** When it asked last. */
  heardMs: number
  /** It is expected to be here, or back, until then. */
  dueMs: number
  /** Its request is being held: it can go at once. */
  isHeld: boolean
}

/** The queue's figures. */
export interface QueueStats {
  readonly slots: number
  readonly loading: readonly string[]
  readonly waiting: number
  /** How long the first of them has been waiting, seconds. */
  readonly longestWaitS: number
  readonly admitted: number
  readonly completed: number
  /** Admissions that ended without kernel and stage 1. */
  readonly expired: number
}

/** The queue of one server. */
export class BootQueue {
  readonly #slots: number
  readonly #waitingMax: number
  readonly #active = new Map<string, Active>()
  /** In the order of their coming. */
  readonly #waiting = new Map<string, Waiting>()
  #serviceMs: number = queueTimes.firstGuess
  #admitted = 0
  #completed = 0
  #expired = 0

  /** So many nodes load at a time; so many more are remembered. */
  constructor(slots: number, waitingMax: number = BOOT_QUEUE_MAX) {
    this.#slots = slots
    this.#waitingMax = waitingMax
  }

  /** A node wants to boot: now, or when its turn comes. Asking again keeps its place. */
  ask(node: string, nowMs: number): QueueAnswer {
    this.#expire(nowMs)
    if (this.#active.has(node)) return { kind: 'go' }
    if (this.#aheadOf(node) < this.#slots - this.#active.size) {
      this.#waiting.delete(node)
      this.#active.set(node, { sinceMs: nowMs, lastMs: nowMs, running: 0, fetched: new Set() })
      this.#admitted += 1
      return { kind: 'go' }
    }
    return this.#wait(node, nowMs)
  }

  /** The held request of a node is answered or gone: it is expected back after `sleepS`. */
  released(node: string, sleepS: number, nowMs: number): void {
    const waiting = this.#waiting.get(node)
    if (waiting === undefined) return
    waiting.isHeld = false
    waiting.dueMs = nowMs + sleepS * 1000 + queueTimes.grace
  }

  /** A node begins to fetch a file; false: it is not admitted. */
  fetching(node: string, nowMs: number): boolean {
    this.#expire(nowMs)
    const active = this.#active.get(node)
    if (active === undefined) return false
    active.running += 1
    active.lastMs = nowMs
    return true
  }

  /** A fetch has ended. `of` are the files that the node needs in all. True: a place is free now. */
  fetched(node: string, file: string, isWhole: boolean, of: number, nowMs: number): boolean {
    const active = this.#active.get(node)
    if (active === undefined) return false
    active.running = Math.max(0, active.running - 1)
    active.lastMs = nowMs
    if (isWhole) active.fetched.add(file)
    if (active.fetched.size < of) return false
    this.#active.delete(node)
    this.#completed += 1
    this.#serviceMs = this.#serviceMs * 0.8 + (nowMs - active.sinceMs) * 0.2
    return true
  }

  stats(nowMs: number): QueueStats {
    this.#expire(nowMs)
    const first = this.#waiting.values().next().value
    return {
      slots: this.#slots,
      loading: [...this.#active.keys()],
      waiting: this.#waiting.size,
      longestWaitS: first === undefined ? 0 : Math.round((nowMs - first.sinceMs) / 1000),
      admitted: this.#admitted,
      completed: this.#completed,
      expired: this.#expired,
    }
  }

  /** Those that came before and could go at once; a node that sleeps does not delay them; it goes when it returns. */
  #aheadOf(node: string): number {
    let ahead = 0
    for (const [other, { isHeld }] of this.#waiting) {
      if (other === node) break
      if (isHeld) ahead += 1
    }
    return ahead
  }

  #wait(node: string, nowMs: number): QueueAnswer {
    let position = 1
    for (const other of this.#waiting.keys()) {
      if (other === node) break
      position += 1
    }
    const known = this.#waiting.get(node)
    const turnMs = (position * this.#serviceMs) / this.#slots
    const isNear = position <= Math.max(heldMin, 2 * this.#slots) || turnMs <= 2 * queueTimes.hold
    // Woken a little early, to be held when the turn comes.
    const sleepS = isNear
      ? 0
      : Math.min(sleepMaxS, Math.max(1, Math.floor((turnMs - queueTimes.hold) / 1000)))
    const dueMs = nowMs + (isNear ? queueTimes.hold : sleepS * 1000) + queueTimes.grace
    if (known !== undefined) Object.assign(known, { heardMs: nowMs, dueMs, isHeld: isNear })
    else if (this.#makeRoom()) {
      this.#waiting.set(node, { sinceMs: nowMs, heardMs: nowMs, dueMs, isHeld: isNear })
    }
    const of = Math.max(position, this.#waiting.size)
    return { kind: 'wait', position, of, holdMs: isNear ? queueTimes.hold : 0, sleepS }
  }

  /**
   * Anybody can make up addresses: when all places are taken, the one goes that has been silent for longest. A node that
   * waits asks again every few seconds and stays. False: all that wait are held, and so are there.
   */
  #makeRoom(): boolean {
    if (this.#waiting.size < this.#waitingMax) return true
    let silent: string | undefined
    let heardMs = Number.POSITIVE_INFINITY
    for (const [node, waiting] of this.#waiting) {
      if (waiting.isHeld || waiting.heardMs >= heardMs) continue
      silent = node
      heardMs = waiting.heardMs
    }
    return silent !== undefined && this.#waiting.delete(silent)
  }

  #expire(nowMs: number): void {
    for (const [node, active] of this.#active) {
      const unused = active.running === 0 && nowMs - active.lastMs > queueTimes.unused
      if (!unused && nowMs - active.sinceMs <= queueTimes.longest) continue
      this.#active.delete(node)
      this.#expired += 1
    }
    for (const [node, { dueMs }] of this.#waiting) if (nowMs > dueMs) this.#waiting.delete(node)
  }
}
