/** Machines as the timeline has them: what a server that starts again has to know of those in network boot. */

import type Sqlite from 'better-sqlite3'

/** One machine, and its newest boot. */
export interface StoredMachine {
  readonly mac: string
  /** The node that it is; undefined: none yet. */
  readonly node: string | undefined
  readonly boot: string
  /** The last boot that its agent named; empty: none. */
  readonly agentBoot: string
  /** Empty: it has not been seen with one. */
  readonly address: string
  /** The first of its events that are kept, of those of this boot, and its last one, milliseconds since 1970. */
  readonly firstMs: number
  readonly bootMs: number
  readonly heardMs: number
  /** Of the boot's events, in order; none where the agent has named the boot. */
  readonly types: readonly string[]
}

interface Newest {
  mac: string
  node: string | null
  agentBoot: string
  boot: string
  lastId: number
  firstMs: number
  heardMs: number
}

interface Fact {
  timeMs: number
  type: string
  address: unknown
}

/** Prepares the statements. */
export function storedMachines(db: Sqlite.Database): (othersMax: number) => StoredMachine[] {
  const ofNodes = db.prepare<[], Newest>(
    `SELECT mac, node, coalesce(nodes.boot, '') AS agentBoot, timeline.boot, timeline.id AS lastId,
       time_ms AS firstMs, time_ms AS heardMs
     FROM nodes JOIN timeline ON timeline.id = (SELECT id FROM timeline
       WHERE node = nodes.id AND mac IS NOT NULL AND boot IS NOT NULL ORDER BY id DESC LIMIT 1)`,
  )
  const others = db.prepare<[number], Newest>(
    `SELECT newest.mac, NULL AS node, '' AS agentBoot, newest.boot, newest.id AS lastId,
       oldest.time_ms AS firstMs, newest.time_ms AS heardMs
     FROM (SELECT min(id) AS firstId, max(id) AS lastId FROM timeline
         WHERE node IS NULL AND source NOT IN ('server', 'operator') AND mac IS NOT NULL AND boot IS NOT NULL
         GROUP BY mac ORDER BY lastId DESC LIMIT ?)
       JOIN timeline AS newest ON newest.id = lastId JOIN timeline AS oldest ON oldest.id = firstId`,
  )
  const ofBoot = db.prepare<[string, string], Fact>(
    `SELECT time_ms AS timeMs, type, json_extract(data, '$.address') AS address
     FROM timeline INDEXED BY timeline_mac WHERE mac = ? AND boot = ? AND source <> 'agent' ORDER BY time_ms, id`,
  )
  return (othersMax) =>
    [...ofNodes.all(), ...others.all(othersMax)]
      .sort((a, b) => a.lastId - b.lastId)
      .map(({ mac, node, agentBoot, boot, firstMs, heardMs }) => {
        const facts = boot === agentBoot ? [] : ofBoot.all(mac, boot)
        const address = facts.findLast((fact) => typeof fact.address === 'string')?.address
        return {
          ...{ mac, node: node ?? undefined, boot, agentBoot, firstMs, heardMs },
          bootMs: facts[0]?.timeMs ?? heardMs,
          address: typeof address === 'string' ? address : '',
          types: facts.map(({ type }) => type),
        }
      })
}
