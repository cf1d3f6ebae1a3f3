/**
 * What is to be written: events in the order in which they came, rows of nodes that have changed, and nodes that are
 * remembered no more. Rows are bounded by the inventory, events by whoever asks {@link ReportQueue.waitingBytes} first. Pure.
 */
import type { NewEvent } from '../store/store.js'

/** Bytes of an event beside its data. */
const eventBytes = 200

/** What one transaction writes. */
export interface Taken {
  readonly forgotten: readonly string[]
  /** Nodes whose rows are to be made and written. */
  readonly nodes: readonly string[]
  readonly events: readonly NewEvent[]
}

/** What has to be written for somebody: see {@link ReportQueue.mark}. */
export interface Mark {
  readonly events: number
  readonly takes: number
}

/** See the module. */
export class ReportQueue {
  #events: NewEvent[] = []
  readonly #nodes = new Set<string>()
  readonly #forgotten = new Set<string>()
  /** Nodes that have a row, and those that may have one soon. */
  readonly #stored: Set<string>
  #beingWritten: ReadonlySet<string> = new Set()
  #waitingBytes = 0
  #eventsWritten = 0
  #takesWritten = 0

  constructor(stored: Iterable<string> = []) {
    this.#stored = new Set(stored)
  }

  get isEmpty(): boolean {
    return this.#events.length + this.#nodes.size + this.#forgotten.size === 0
  }

  /** Events that are not written yet. */
  get waiting(): number {
    return this.#events.length
  }

  /** Their bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** The node has changed. */
  node(id: string): void {
    this.#nodes.add(id)
  }

  /** The node is remembered no more. Of one that was never written nothing is left. */
  forget(id: string): void {
    this.#nodes.delete(id)
    if (this.#stored.has(id) || this.#beingWritten.has(id)) this.#forgotten.add(id)
  }

  event(event: NewEvent): void {
    this.#events.push(event)
    this.#waitingBytes += sizeOf(event)
  }

  /** All that came until now, for {@link isWritten}; `isWriting`: what was taken last is not written yet. */
  mark(isWriting: boolean): Mark {
    return {
      events: this.#eventsWritten + this.#events.length,
      takes: this.#takesWritten + (isWriting ? 1 : 0) + (this.#nodes.size + this.#forgotten.size > 0 ? 1 : 0),
    }
  }

  isWritten({ events, takes }: Mark): boolean {
    return events <= this.#eventsWritten && takes <= this.#takesWritten
  }

  /** Takes what is to be written next: all rows, so many events. One of {@link wrote} and {@link failed} comes before the next time. */
  take(eventsMax: number): Taken {
    const taken = {
      forgotten: [...this.#forgotten],
      nodes: [...this.#nodes],
      events: this.#events.slice(0, eventsMax),
    }
    this.#beingWritten = new Set(taken.nodes)
    this.#forgotten.clear()
    this.#nodes.clear()
    return taken
  }

  wrote({ forgotten, nodes, events }: Taken): void {
    for (const id of forgotten) this.#stored.delete(id)
    for (const id of nodes) this.#stored.add(id)
    this.#beingWritten = new Set()
    for (const event of events) this.#waitingBytes -= sizeOf(event)
    this.#events = this.#events.slice(events.length)
    this.#eventsWritten += events.length
    this.#takesWritten += 1
  }

  /** Nothing of it was written: it is taken again. */
  failed({ forgotten, nodes }: Taken, isRemembered: (id: string) => boolean): void {
    for (const id of forgotten) this.#forgotten.add(id)
    for (const id of nodes) if (isRemembered(id)) this.#nodes.add(id)
    this.#beingWritten = new Set()
  }
}

function sizeOf({ data }: NewEvent): number {
  return data.length + eventBytes
}
