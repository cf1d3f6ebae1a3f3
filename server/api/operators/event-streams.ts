/**
 * Operators that follow events (server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html). What a
 * client has not taken yet is not queued for it: it stays in the database, and is read from there when the client takes more.
 */
import type { ServerResponse } from 'node:http'
import { BootswarmError } from '../../../src/errors.js'
import { EVENT_STREAMS_MAX, EVENT_STREAMS_PER_ADDRESS_MAX } from '../../../src/limits.js'
import { printableJson } from '../../../src/text.js'
import type { TimelineEvent } from '../../../src/timeline.js'
import type { EventFilter, StoredPage } from '../../store/store.js'
import type { EventReader } from './services.js'
import { eventView } from './views.js'

/** Events that are read at a time: about what a connection takes before it is full; the rest would be read again. */
const pageEvents = 16
/** What comes within this time is read together, milliseconds: a storm appends a hundred times a second. */
const togetherMs = 200
/** A comment that keeps proxies and our own timeout from closing a silent connection, milliseconds. */
const keepAliveMs = 20_000
/** Clients that are broken off come back after this, milliseconds. */
const retryMs = 3000

/** Who follows what. */
export interface Follower {
  readonly address: string
  /** Of the token; undefined on the Unix socket. */
  readonly tokenId: string | undefined
  /** The first event is the one after this id. */
  readonly afterId: number
  readonly filter: EventFilter
  /** Of those that the filter admits. */
  readonly wants: (event: TimelineEvent) => boolean
}

/** What streams read. */
export type StreamedEvents = Pick<EventReader, 'after' | 'onAppended'>

/** All streams. */
export class EventStreams {
  readonly #events: StreamedEvents
  readonly #streams = new Set<Stream>()
  #stopListening: (() => void) | undefined
  #together: NodeJS.Timeout | undefined
  #keepAlive: NodeJS.Timeout | undefined

  constructor(events: StreamedEvents) {
    this.#events = events
  }

  /**
   * Whether one more may follow.
   *
   * @throws BootswarmError EVENT_STREAMS_TOO_MANY
   */
  check(address: string): void {
    const ofAddress = [...this.#streams].filter((stream) => stream.follower.address === address).length
    if (this.#streams.size < EVENT_STREAMS_MAX && ofAddress < EVENT_STREAMS_PER_ADDRESS_MAX) return
    const message = 'too many operators follow events; close some, or ask for pages of events'
    throw new BootswarmError('EVENT_STREAMS_TOO_MANY', message, { retryAfterS: 10 })
  }

  /** Answers with events until the client or the server ends. */
  open(response: ServerResponse, follower: Follower): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    response.write(`retry: ${retryMs}\n\n`)
    const stream = new Stream(response, follower, this.#events)
    this.#streams.add(stream)
    this.#run()
    response.once('close', () => {
      this.#streams.delete(stream)
      if (this.#streams.size === 0) this.#rest()
    })
    stream.read()
  }

  /** The token has been revoked. */
  endOf(tokenId: string): void {
    for (const stream of this.#streams) if (stream.follower.tokenId === tokenId) stream.end()
  }

  close(): void {
    for (const stream of this.#streams) stream.end()
    this.#rest()
  }

  #run(): void {
    this.#stopListening ??= this.#events.onAppended(() => {
      this.#together ??= setTimeout(() => {
        this.#together = undefined
        for (const stream of this.#streams) stream.read()
      }, togetherMs).unref()
    })
    this.#keepAlive ??= setInterval(() => {
      for (const stream of this.#streams) stream.keepAlive()
    }, keepAliveMs).unref()
  }

  #rest(): void {
    this.#stopListening?.()
    clearTimeout(this.#together)
    clearInterval(this.#keepAlive)
    this.#stopListening = undefined
    this.#together = undefined
    this.#keepAlive = undefined
  }
}

class Stream {
  readonly follower: Follower
  readonly #response: ServerResponse
  readonly #events: StreamedEvents
  #lastId: number
  /** The client has to take what it has before it gets more. */
  #isFull = false
  #isReading = false

  constructor(response: ServerResponse, follower: Follower, events: StreamedEvents) {
    this.follower = follower
    this.#response = response
    this.#events = events
    this.#lastId = follower.afterId
    response.on('drain', () => {
      this.#isFull = false
      this.read()
    })
  }

  /** Sends what is new, a page in each turn of the event loop, as far as the client takes it. */
  read(): void {
    if (this.#isReading || this.#isFull || this.#response.writableEnded || this.#response.destroyed) return
    let page: StoredPage
    try {
      page = this.#events.after(this.#lastId, this.follower.filter, pageEvents)
    } catch {
      // The database fails, which others say. The client comes back and goes on where it was.
      this.end()
      return
    }
    for (const event of page.events) {
      this.#lastId = event.id
      if (!this.follower.wants(event)) continue
      this.#isFull = !this.#response.write(`id: ${event.id}\ndata: ${printableJson(eventView(event))}\n\n`)
      if (this.#isFull) return
    }
    this.#lastId = page.endId
    if (page.isLast) return
    this.#isReading = true
    setImmediate(() => {
      this.#isReading = false
      this.read()
    })
  }

  /** A client that takes nothing gets none, so that its connection is closed as an idle one. */
  keepAlive(): void {
    if (!this.#isFull && !this.#response.writableEnded) this.#response.write(':\n\n')
  }

  end(): void {
    this.#response.end()
  }
}
