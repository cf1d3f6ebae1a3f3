/**
 * The timeline by rising ids, page by page, as operators read it. An answer looks through a bounded number of events, whatever
 * it is to find: a page may be short, or empty, and not be the last.
 */

import type Sqlite from 'better-sqlite3'
import type { EventSource, TimelineEvent } from '../../src/timeline.js'
import { guard } from './open.js'
import { columns, eventOf, type TimelineRow } from './timeline.js'

/** Events that one answer looks through, some milliseconds of work. */
const lookedThroughMax = 4096

/** What an event must be; a member that is missing admits all. */
export interface EventFilter {
  readonly node?: string | undefined
  readonly mac?: string | undefined
  readonly boot?: string | undefined
  readonly sources?: readonly EventSource[] | undefined
  readonly types?: readonly string[] | undefined
  /** Not before this time, milliseconds since 1970. */
  readonly sinceMs?: number | undefined
}

/** One page. */
export interface StoredPage {
  /** Oldest first. */
  readonly events: readonly TimelineEvent[]
  /** The last id that was looked at, from which on the next page is to be asked for. */
  readonly endId: number
  /** Nothing lies beyond it yet. */
  readonly isLast: boolean
}

/** Reads pages. */
export interface EventPages {
  /** The first after an id. */
  after(id: number, filter: EventFilter, limit: number): StoredPage
  /** The newest before an id. */
  before(id: number, filter: EventFilter, limit: number): StoredPage
  /** The newest id; 0 if there is none. */
  lastId(): number
  /** The id before the first event at or after a time, milliseconds since 1970, as far as the clock has only gone forward. */
  idBefore(timeMs: number): number
}

/** What narrows the search down, the best first: an index of the schema by the column that it is for. */
const paths = {
  node: 'timeline_node',
  mac: 'timeline_mac',
  boot: 'timeline_boot',
} as const

type Path = keyof typeof paths | 'all'

/** How to go through events: after an id, or backwards. */
const ways = {
  after: { beyond: '>', until: '<', order: 'ASC' },
  before: { beyond: '<', until: '>', order: 'DESC' },
} as const

type Values = Readonly<Record<string, string | number | null>>

/** Prepares the statements. */
export function eventPages(db: Sqlite.Database): EventPages {
  const statements = new Map<string, Sqlite.Statement<[Values], TimelineRow>>()
  const statement = (path: Path, way: keyof typeof ways) => {
    const name = `${path} ${way}`
    const prepared = statements.get(name) ?? db.prepare<[Values], TimelineRow>(pageSql(path, way))
    statements.set(name, prepared)
    return prepared
  }
  const edges = new Map<string, Sqlite.Statement<[Values], { id: number }>>()
  const edge = (path: Path, way: keyof typeof ways) => {
    const name = `${path} ${way}`
    const prepared = edges.get(name) ?? db.prepare<[Values], { id: number }>(edgeSql(path, way))
    edges.set(name, prepared)
    return prepared
  }
  const last = db.prepare<[], { id: number | null }>('SELECT max(id) AS id FROM timeline')
  const next = db.prepare<[number], { id: number; timeMs: number }>(
    'SELECT id, time_ms AS timeMs FROM timeline WHERE id > ? ORDER BY id LIMIT 1',
  )
  const lastId = () => last.get()?.id ?? 0
  const read = (way: keyof typeof ways, id: number, filter: EventFilter, limit: number): StoredPage => {
    const path = pathOf(filter)
    // Before the page: what comes meanwhile is beyond it.
    const newestId = lastId()
    const values = { ...valuesOf(filter), id, limit }
    const edgeId = edge(path, way).get(values)?.id
    const rows = statement(path, way).all({ ...values, edge: edgeId ?? null })
    const events = rows.map(eventOf)
    const isLast = edgeId === undefined && rows.length < limit
    const end = rows.length === limit ? rows.at(-1)?.id : edgeId
    if (way === 'before') return { events: events.reverse(), endId: end ?? 0, isLast }
    return { events, endId: end ?? Math.max(id, newestId, rows.at(-1)?.id ?? 0), isLast }
  }
  return {
    after: (id, filter, limit) => guard('reading events', () => read('after', id, filter, limit)),
    before: (id, filter, limit) => guard('reading events', () => read('before', id, filter, limit)),
    lastId: () => guard('reading events', lastId),
    idBefore: (timeMs) => guard('reading events', () => idBefore(timeMs, lastId(), (id) => next.get(id))),
  }
}

/** Halves the range of ids; `next` gives the first event after an id. */
function idBefore(
  timeMs: number,
  lastId: number,
  next: (id: number) => { readonly id: number; readonly timeMs: number } | undefined,
): number {
  let [low, high] = [0, lastId]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const event = next(middle)
    if (event === undefined || event.id > high || event.timeMs >= timeMs) high = middle
    else low = event.id
  }
  return low
}

function pathOf({ node, mac, boot }: EventFilter): Path {
  if (node !== undefined) return 'node'
  if (mac !== undefined) return 'mac'
  return boot === undefined ? 'all' : 'boot'
}

function valuesOf({ node, mac, boot, sources, types, sinceMs }: EventFilter): Values {
  const list = (values: readonly string[] | undefined) =>
    values === undefined ? null : JSON.stringify(values)
  return {
    ...{ node: node ?? null, mac: mac ?? null, boot: boot ?? null, sinceMs: sinceMs ?? null },
    ...{ sources: list(sources), types: list(types) },
  }
}

/** The rows to look through: of a column that has an index those of one value. */
function from(path: Path, way: keyof typeof ways): string {
  const { beyond } = ways[way]
  return path === 'all'
    ? `FROM timeline NOT INDEXED WHERE id ${beyond} @id`
    : `FROM timeline INDEXED BY ${paths[path]} WHERE ${path} = @${path} AND id ${beyond} @id`
}

/** The last row that is looked at, if more lie beyond it. */
function edgeSql(path: Path, way: keyof typeof ways): string {
  return `SELECT id ${from(path, way)} ORDER BY id ${ways[way].order} LIMIT 1 OFFSET ${lookedThroughMax}`
}

function pageSql(path: Path, way: keyof typeof ways): string {
  const { until, order } = ways[way]
  return `SELECT ${columns} ${from(path, way)}
    AND (@edge IS NULL OR id ${until}= @edge)
    AND (@node IS NULL OR node = @node) AND (@mac IS NULL OR mac = @mac) AND (@boot IS NULL OR boot = @boot)
    AND (@sources IS NULL OR source IN (SELECT value FROM json_each(@sources)))
    AND (@types IS NULL OR type IN (SELECT value FROM json_each(@types)))
    AND (@sinceMs IS NULL OR time_ms >= @sinceMs)
    ORDER BY id ${order} LIMIT @limit`
}
