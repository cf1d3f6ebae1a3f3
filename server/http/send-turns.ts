/**
 * When files are read on that go second: those that clients load without a turn in the boot queue, by `/boot/NAME` or as artifacts.
 * TCP shares a link by connection: dozens of connections of one client would leave the others a small part of it. So while a node of
 * another address loads in its turn, or the seeder hands out, they are read at the pace that is left (spare-link.ts), a part of each
 * address after the other. A turn that crawls has no use for the link, and slows nobody down. At all other times there is no limit.
 * No I/O: time and timers are arguments.
 */
import { AddressQueues } from '../../src/address-queues.js'
import { addressOwner } from '../../src/net.js'
import { type FileInTurn, FilesInTurn } from './files-in-turn.js'
import { LINK_LOOK_MS, SpareLink } from './spare-link.js'

/** So many that wait have a part each this often, milliseconds: iPXE gives up after 3 s without a byte, EDK II after 5. */
const round = { files: 500, ms: 2000 } as const

/** The most that is read at a time, bytes: what was read when a node begins still goes out. */
export const SEND_PART_BYTES_MAX = 64 * 1024
/** The least that is worth a read. */
const partBytesMin = 1024

/** However little the link moves, all of them together are read at this pace, bytes a millisecond: half a megabit a second. */
const paceMin = 64

/** Timers are late on a busy machine. What could have been read within this is read afterwards, milliseconds. */
const lateMsMax = 125

/**
 * A client whose connection was full wants more when a third of it has been sent (Linux). When it has waited for so many times as long
 * as that took, there is nothing left that would slow down others.
 */
const emptyAfter = 4

/** The shortest pause, milliseconds: each timer costs as much as a part. */
const pauseMsMin = 4

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
  /** Reads the next part now or when it may: `part` is told how many of the wanted bytes. */
  read(wantedBytes: number, part: (bytes: number) => void): void
  /** It waits, or has waited since the last call: what its client has taken says nothing about the client. */
  takeWaited(): boolean
  /** The file has ended: a part that waits is read at once, as a stream closes its file after that only. Again: no effect. */
  end(): void
}

interface Sender {
  readonly owner: string
  wantedBytes: number
  part: ((bytes: number) => void) | undefined
  /** When its last part was read, and since when it wants the next one. */
  readMs: number
  wantsMs: number
  hasWaited: boolean
  hasEnded: boolean
}

/** The boot files that are sent by all listeners. */
export class SendTurns {
  readonly #options: SendTurnsOptions
  readonly #link = new SpareLink()
  readonly #first = new FilesInTurn()
  readonly #waiting = new AddressQueues<Sender>()
  #senders = 0
  #lookedMs = 0
  /** Read since then of the files without a turn. */
  #secondBytes = 0
  /** What may be read now, bytes; 0 and less: nothing. */
  #creditBytes = 0
  #creditMs = 0
  #isReading = false
  #callOffPause: (() => void) | undefined
  #isLooking = false

  constructor(options: SendTurnsOptions) {
    this.#options = options
  }

  /** Files that wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** A node loads a file in its turn of the boot queue, or the seeder hands out; call the result when that is over. */
  goesFirst(address: string, file: FileInTurn): () => void {
    const loading = this.#first.begin(address, file)
    this.#link.start(this.#leastPace(), this.#options.nowMs())
    this.#lookLater()
    return () => {
      loading.end()
      this.#options.after(lingerMs, () => {
        loading.forget()
        this.#readFree()
      })
    }
  }

  /** A client loads a file without a turn. */
  enter(address: string): SendTurn {
    const owner = addressOwner(address)
    const nowMs = this.#options.nowMs()
    const times = { readMs: nowMs, wantsMs: nowMs }
    const sender: Sender = {
      owner,
      wantedBytes: 0,
      part: undefined,
      ...times,
      hasWaited: false,
      hasEnded: false,
    }
    this.#senders += 1
    this.#lookLater()
    return {
      read: (wantedBytes, part) => {
        sender.wantedBytes = wantedBytes
        sender.part = part
        sender.wantsMs = this.#options.nowMs()
        if (sender.hasEnded || this.#first.haveNoOther(owner)) {
          this.#read(sender, wantedBytes)
          return
        }
        this.#waiting.add(owner, sender)
        this.#readOn()
        sender.hasWaited ||= sender.part !== undefined
      },
      takeWaited: () => {
        const { hasWaited } = sender
        sender.hasWaited = sender.part !== undefined
        return hasWaited
      },
      end: () => {
        if (sender.hasEnded) return
        sender.hasEnded = true
        this.#senders -= 1
        this.#waiting.delete(owner, sender)
        this.#read(sender, sender.wantedBytes)
      },
    }
  }

  /** Reads for those that no node of another address goes before. */
  #readFree(): void {
    const free = [...this.#waiting.each()].flatMap((queue) => {
      const [first] = queue
      return first !== undefined && this.#first.haveNoOther(first.owner) ? [...queue] : []
    })
    for (const sender of free) {
      this.#waiting.delete(sender.owner, sender)
      this.#read(sender, sender.wantedBytes)
    }
  }

  /** Reads what may be read now, and comes back for the rest. */
  #readOn(): void {
    if (this.#isReading) return
    this.#isReading = true
    this.#callOffPause?.()
    this.#callOffPause = undefined
    const bytesMax = this.#earn()
    while (this.#creditBytes > 0) {
      const sender = this.#waiting.take()
      if (sender === undefined) break
      const bytes = Math.min(sender.wantedBytes, bytesMax)
      this.#creditBytes -= bytes
      this.#secondBytes += bytes
      this.#read(sender, bytes)
    }
    this.#isReading = false
    if (this.#waiting.size === 0) return
    const pauseMs = Math.max(pauseMsMin, Math.ceil(-this.#creditBytes / this.#link.pace))
    this.#callOffPause = this.#options.after(pauseMs, () => this.#readOn())
  }

  /** Adds what may be read since the last time. Returns the size of a part, bytes. */
  #earn(): number {
    const { pace } = this.#link
    const nowMs = this.#options.nowMs()
    const earnedBytes = (nowMs - this.#creditMs) * pace
    this.#creditBytes = Math.min(this.#creditBytes + earnedBytes, lateMsMax * pace)
    this.#creditMs = nowMs
    const fairBytes = Math.floor((pace * round.ms) / round.files)
    return Math.min(SEND_PART_BYTES_MAX, Math.max(partBytesMin, fairBytes))
  }

  #leastPace(): number {
    return Math.max(paceMin, (Math.min(this.#senders, round.files) * partBytesMin) / round.ms)
  }

  /** Looks at the link for as long as files of both kinds are sent. */
  #lookLater(): void {
    if (this.#isLooking || this.#first.size === 0 || this.#senders === 0) return
    this.#isLooking = true
    this.#first.takeMoved()
    this.#secondBytes = 0
    this.#lookedMs = this.#options.nowMs()
    this.#options.after(LINK_LOOK_MS, () => {
      this.#isLooking = false
      this.#look()
      this.#readFree()
      this.#readOn()
      this.#lookLater()
    })
  }

  #look(): void {
    const firstBytes = this.#first.takeMoved()
    // Between two files there is nothing to learn.
    if (firstBytes === 0 && !this.#first.areLoading) return
    const nowMs = this.#options.nowMs()
    const moved = {
      elapsedMs: nowMs - this.#lookedMs,
      firstBytes,
      secondBytes: this.#secondBytes,
      isTooLittle: this.#areEmpty(nowMs),
    }
    this.#link.look(moved, this.#leastPace(), nowMs)
  }

  /** Somebody waits, and the connections of most that do are empty. */
  #areEmpty(nowMs: number): boolean {
    const waiting = [...this.#waiting.each()].flatMap((queue) => [...queue])
    const empty = waiting.filter(({ readMs, wantsMs }) => nowMs - wantsMs >= emptyAfter * (wantsMs - readMs))
    return empty.length > waiting.length / 2
  }

  #read(sender: Sender, bytes: number): void {
    const { part } = sender
    sender.part = undefined
    sender.readMs = this.#options.nowMs()
    part?.(bytes)
  }
}
