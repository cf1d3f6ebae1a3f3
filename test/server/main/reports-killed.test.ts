/** What the server has acknowledged is in its database, whenever it is killed. */
import assert from 'node:assert/strict'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { randomFrom } from '../../fuzz.js'
import { hangMs } from '../../support/limits.js'
import { type Daemon, Site } from './support.js'

const rounds = 10
const nodes = 40
/** The seed of the moments; BOOTSWARM_SEED repeats one that failed. */
const seed = Number(process.env.BOOTSWARM_SEED ?? Date.now() % 1_000_000)

const boot = '0011223344556677'

/** A node that reports one event after the other until the server is gone; notes what was acknowledged. */
async function report(server: Daemon, node: string, acknowledged: Set<string>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (let seq = 0; ; seq += 1) {
      const data = { done_bytes: seq, total_bytes: 9, peers: 1, from_peers_bytes: 1, from_origin_bytes: 1 }
      const event = { boot, seq, t_ms: seq, type: 'progress', data }
      const { status } = await server.post(`/v1/nodes/${node}/events`, JSON.stringify([event]), agent)
      if (status === 204) acknowledged.add(`${node} ${seq}`)
    }
  } catch {
    // The server was killed.
  } finally {
    agent.destroy()
  }
}

test(`ten times killed in the middle of reports (seed ${seed}): everything acknowledged is there`, {
  timeout: hangMs,
}, async (t) => {
  const next = randomFrom(seed)
  // Of unknown nodes fewer events are kept.
  const place = new Site(`nodes: [{match: "rig-[0-${rounds * nodes - 1}]"}]`)
  t.after(() => place.end())
  const acknowledged = new Set<string>()
  for (let round = 0; round < rounds; round += 1) {
    const server = place.start()
    await server.line('server.ready')
    const before = acknowledged.size
    const reporting = Array.from({ length: nodes }, (_, n) =>
      report(server, `rig-${round * nodes + n}`, acknowledged),
    )
    // At least one of this round counts, and then any moment.
    while (acknowledged.size === before) await setTimeout(1)
    await setTimeout(next(400))
    await server.kill('SIGKILL')
    await Promise.all(reporting)
  }
  const db = new Sqlite(join(place.data, 'bootswarm.sqlite'))
  t.after(() => db.close())
  const rows = db
    .prepare<[], { node: string; seq: number }>('SELECT node, seq FROM timeline WHERE seq IS NOT NULL')
    .all()
  const stored = new Set(rows.map(({ node, seq }) => `${node} ${seq}`))
  const lost = [...acknowledged].filter((key) => !stored.has(key))
  t.diagnostic(`${acknowledged.size} reports were acknowledged`)
  assert.deepEqual(lost, [], `${lost.length} of ${acknowledged.size} are lost`)
  assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
})
