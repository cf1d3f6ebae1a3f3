/**
 * What is to be written: events in the order in which they came, rows of nodes that have changed, and nodes that are
 * remembered no more. Rows are bounded by the inventory, reports and facts by whoever asks {@link WriteQueue.reportBytes} and
 * {@link WriteQueue.factBytes} first. Pure.
 */
import type { NewTimelineEvent } from '../store/store.js'

/** Bytes of an event beside its data. */
const eventBytes = 200

/** What one transaction writes. */
export interface Taken {
  readonly forgotten: readonly string[]
  /** Nodes whose rows are to be made and written. */
  readonly nodes: readonly string[]
  readonly events: readonly NewTimelineEvent[]
}

/** What has to be written for somebody: see {@link WriteQueue.mark}. */
export interface Mark {
  readonly events: number
  readonly takes: number
}

/** See the module. */
export class WriteQueue {
  #events: NewTimelineEvent[] = []
  readonly #nodes = new Set<string>()
  readonly #forgotten = new Set<string>()
  /** Nodes that have a row, and those that may have one soon. */
  readonly #stored: Set<string>
  #beingWritten: ReadonlySet<string> = new Set()
  #reports = 0
  #reportBytes = 0
  #factBytes = 0
  #eventsWritten = 0
  #takesWritten = 0

  constructor(stored: Iterable<string> = []) {
    this.#stored = new Set(stored)
  }

  get isEmpty(): boolean {
    return this.#events.length + this.#nodes.size + this.#forgotten.size === 0
  }

  /** There is more than facts. */
  get isAwaited(): boolean {
    return this.#reports + this.#nodes.size + this.#forgotten.size > 0
  }

  /** Reports of agents that are not written yet. */
  get reports(): number {
    return this.#reports
  }

  /** Their bytes. */
  get reportBytes(): number {
    return this.#reportBytes
  }

  /** Bytes of all other events that are not written yet. */
  get factBytes(): number {
    return this.#factBytes
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

  /** The events of a MAC that is no node are to go. */
  forgetMachine(mac: string): void {
    this.#forgotten.add(mac)
  }

  event(event: NewTimelineEvent): void {
    this.#events.push(event)
    this.#count(event, 1)
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
    for (const event of events) this.#count(event, -1)
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

  #count({ seq, data }: NewTimelineEvent, sign: 1 | -1): void {
    const bytes = sign * (data.length + eventBytes)
    if (seq === null) {
      this.#factBytes += bytes
    } else {
      this.#reports += sign
      this.#reportBytes += bytes
    }
  }
}
