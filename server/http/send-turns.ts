/**
 * When boot files that a client loads without a turn in the boot queue (`/boot/NAME`) are read on. TCP shares a link by connection:
 * dozens of connections of one client would leave the nodes that have their turn a small part of it. So while a node of another
 * address loads in its turn, the files without one are read on one at a time, of each address after the other. At all other times
 * there is no limit. No I/O: time and timers are arguments.
 */
import { addressOwner } from '../../src/net.js'

/** Each has a turn this often, milliseconds: iPXE gives up after 3 s without a byte, EDK II after 5. */
const roundMs = 2000

/**
 * How long a turn lasts, milliseconds; the more wait, the shorter. A client on a slow link has its buffers filled in
 * the shortest, and empties them without a turn.
 */
const turnMs = { min: 4, max: 100 } as const

/**
 * Read at a time in a turn, bytes: what was read when a turn ends still goes out. More for a client that has taken more in its turn
 * than the system buffers for one that shares a full link: on a busy machine it would wait for the processor, not for the link.
 */
const partBytesMax = { usual: 16 * 1024, fast: 64 * 1024 } as const
const fastPartsAfter = 8

/** A node loads its next file, or the next node its first, within this, milliseconds: no flood is let in between. */
const lingerMs = 1000

/** What it needs. */
export interface SendTurnsOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number
  /** Runs something after so many milliseconds; the result calls it off. */
  readonly after: (ms: number, run: () => void) => () => void
}

/** A file that is sent without a turn in the boot queue. */
export interface SendTurn {
  /** Reads the next part, of at most so many bytes, now or when the file has its turn. */
  read(part: (bytesMax: number) => void): void
  /** It would read on if it had its turn. */
  isWaiting(): boolean
  /** The file has ended: a part that waits is read at once, as a stream closes its file after that only. Again: no effect. */
  end(): void
}

interface Sender {
  readonly address: string
  part: ((bytesMax: number) => void) | undefined
  hasEnded: boolean
}

interface Turn {
  readonly sender: Sender
  readonly sinceMs: number
  /** Read so far. */
  parts: number
}

/** The boot files that are sent by all listeners. */
export class SendTurns {
  readonly #options: SendTurnsOptions
  /** Downloads of nodes in their turn of the boot queue, by address. */
  readonly #first = new Map<string, number>()
  /** Whose turn it is, and since when. */
  #turn: Turn | undefined
  /** By address; the next turn first. */
  readonly #waiting = new Map<string, Set<Sender>>()
  #waitingCount = 0
  #callOff: (() => void) | undefined

  constructor(options: SendTurnsOptions) {
    this.#options = options
  }

  /** Files that wait for a turn. */
  get waiting(): number {
    return this.#waitingCount
  }

  /** A node loads a file in its turn of the boot queue; call the result when that is over. */
  goesFirst(address: string): () => void {
    const owner = addressOwner(address)
    this.#first.set(owner, (this.#first.get(owner) ?? 0) + 1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#options.after(lingerMs, () => {
        const left = (this.#first.get(owner) ?? 1) - 1
        if (left > 0) this.#first.set(owner, left)
        else this.#first.delete(owner)
        this.#look()
      })
    }
  }

  /** A client loads a file without a turn. */
  enter(address: string): SendTurn {
    const sender: Sender = { address: addressOwner(address), part: undefined, hasEnded: false }
    return {
      read: (part) => {
        sender.part = part
        if (sender.hasEnded || this.#isFree(sender.address)) read(sender, Number.POSITIVE_INFINITY)
        else if (this.#turn?.sender === sender) this.#readOn(this.#turn)
        else {
          this.#wait(sender)
          this.#look()
        }
      },
      isWaiting: () => this.#waiting.get(sender.address)?.has(sender) === true,
      end: () => {
        if (sender.hasEnded) return
        sender.hasEnded = true
        if (this.#turn?.sender === sender) this.#turn = undefined
        this.#leave(sender)
        read(sender, partBytesMax.usual)
        this.#look()
      },
    }
  }

  /** No node of another address has its turn in the boot queue. */
  #isFree(address: string): boolean {
    return this.#first.size === 0 || (this.#first.size === 1 && this.#first.has(address))
  }

  #look(): void {
    this.#callOff?.()
    this.#callOff = undefined
    for (const address of [...this.#waiting.keys()].filter((one) => this.#isFree(one))) {
      for (const sender of this.#waiting.get(address) ?? []) {
        this.#leave(sender)
        read(sender, Number.POSITIVE_INFINITY)
      }
    }
    const next = this.#next()
    if (next === undefined) return
    const leftMs = this.#turnLeftMs()
    if (leftMs > 0) {
      this.#callOff = this.#options.after(leftMs, () => this.#look())
      return
    }
    this.#leave(next)
    this.#turn = { sender: next, sinceMs: this.#options.nowMs(), parts: 0 }
    this.#readOn(this.#turn)
    this.#look()
  }

  #readOn(turn: Turn): void {
    const bytesMax = turn.parts < fastPartsAfter ? partBytesMax.usual : partBytesMax.fast
    turn.parts += 1
    read(turn.sender, bytesMax)
  }

  /** How long the turn lasts yet, milliseconds. */
  #turnLeftMs(): number {
    if (this.#turn === undefined) return 0
    const fairMs = roundMs / (this.#waitingCount + 1)
    return this.#turn.sinceMs + Math.min(turnMs.max, Math.max(turnMs.min, fairMs)) - this.#options.nowMs()
  }

  #next(): Sender | undefined {
    for (const [first] of this.#waiting.values()) return first
    return undefined
  }

  #wait(sender: Sender): void {
    const queue = this.#waiting.get(sender.address)
    if (queue === undefined) this.#waiting.set(sender.address, new Set([sender]))
    else queue.add(sender)
    this.#waitingCount += 1
  }

  /** Its address has its next turn after all others. */
  #leave(sender: Sender): void {
    const queue = this.#waiting.get(sender.address)
    if (queue === undefined || !queue.delete(sender)) return
    this.#waitingCount -= 1
    this.#waiting.delete(sender.address)
    if (queue.size > 0) this.#waiting.set(sender.address, queue)
  }
}

function read(sender: Sender, bytesMax: number): void {
  const { part } = sender
  sender.part = undefined
  part?.(bytesMax)
}
