/**
 * Decides whether a node may load kernel and stage 1: the queue, with real time and connections. Near its turn a node's
 * request is held back, so that no slot stays empty until it asks again.
 */
import { BootQueue, nodeKey, type QueuePlace, type QueueStats } from './boot-queue.js'

/** The answer to a node. */
export type Admission = { readonly kind: 'go' } | ({ readonly kind: 'wait' } & QueuePlace)

/** A file that a node begins to load. */
export interface Download {
  /** `aa:bb:cc:dd:ee:ff` */
  readonly mac: string
  readonly address: string
  readonly file: string
  /** What the client's end of the connection has been sent so far. */
  movedBytes(): number
  /** Closes the connection: others need the room. */
  close(): void
}

/** A download in progress. */
export interface Fetch {
  /** Its turn does not count, or moves so little that it is given to the next node that waits. */
  isCrawling(): boolean
  /** It has ended, with all its bytes or not. */
  end(isWhole: boolean): void
}

/** Kernel and stage 1. */
const filesOfNode = 2

/** While somebody waits, the downloads are looked at this often, milliseconds. */
const lookMs = 250

/** Admits nodes to load kernel and stage 1, a few at a time. */
export class BootAdmission {
  readonly #queue: BootQueue
  readonly #nowMs: () => number
  /** Requests that are held back, by node. */
  readonly #held = new Map<string, Set<() => void>>()
  readonly #downloads = new Map<number, Download>()
  #looking: NodeJS.Timeout | undefined

  constructor(slots: number, nowMs: () => number) {
    this.#queue = new BootQueue(slots)
    this.#nowMs = nowMs
  }

  /** `gone` aborts when the node has closed its connection. */
  async ask(mac: string, address: string, gone: AbortSignal): Promise<Admission> {
    const answer = this.#queue.ask(mac, address, this.#nowMs())
    this.#follow()
    if (answer.kind === 'go') return answer
    if (await this.#turn(nodeKey(mac, address), answer.holdMs, gone)) return { kind: 'go' }
    return { kind: 'wait', ...this.#queue.answered(mac, address, this.#nowMs()) }
  }

  /** A node begins to load a file; undefined: it is not its turn. */
  fetch(download: Download): Fetch | undefined {
    const { mac, address, file } = download
    this.#look()
    const load = this.#queue.loading(mac, address, file, this.#nowMs())
    if (load !== undefined) this.#downloads.set(load, download)
    this.#follow()
    if (load === undefined) return undefined
    return {
      isCrawling: () => {
        this.#queue.moved(load, download.movedBytes())
        return this.#queue.isCrawling(load, this.#nowMs())
      },
      end: (isWhole) => {
        this.#queue.moved(load, download.movedBytes())
        this.#downloads.delete(load)
        this.#queue.loaded(load, file, isWhole, filesOfNode, this.#nowMs())
        this.#follow()
      },
    }
  }

  stats(): QueueStats {
    const stats = this.#queue.stats(this.#nowMs())
    this.#follow()
    return stats
  }

  /** Tells the queue what has moved, and the nodes what has changed by it and by time. */
  #look(): void {
    for (const [load, download] of this.#downloads) this.#queue.moved(load, download.movedBytes())
    this.#queue.settle(this.#nowMs())
  }

  #follow(): void {
    const { given, closed } = this.#queue.takeChanges()
    for (const key of given) for (const wake of this.#held.get(key) ?? []) wake()
    for (const load of closed) {
      const download = this.#downloads.get(load)
      this.#downloads.delete(load)
      download?.close()
    }
    if (!this.#queue.hasWaiting) {
      clearInterval(this.#looking)
      this.#looking = undefined
      return
    }
    this.#looking ??= setInterval(() => {
      this.#look()
      this.#follow()
    }, lookMs).unref()
  }

  /** Whether the node's turn comes within this time. */
  #turn(key: string, holdMs: number, gone: AbortSignal): Promise<boolean> {
    if (holdMs <= 0 || gone.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const settle = (hasTurn: boolean) => {
        clearTimeout(timer)
        gone.removeEventListener('abort', leave)
        this.#release(key, wake)
        resolve(hasTurn)
      }
      const wake = () => settle(true)
      const leave = () => settle(false)
      const timer = setTimeout(leave, holdMs)
      gone.addEventListener('abort', leave)
      const wakes = this.#held.get(key)
      if (wakes === undefined) this.#held.set(key, new Set([wake]))
      else wakes.add(wake)
    })
  }

  #release(key: string, wake: () => void): void {
    const wakes = this.#held.get(key)
    wakes?.delete(wake)
    if (wakes?.size === 0) this.#held.delete(key)
  }
}
