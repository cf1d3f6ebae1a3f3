/** The agent against two BitTorrent clients that we did not write, in both directions. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentContestant, aria2Contestant, libtorrentContestant } from '../../bench/agent/clients.js'
import { stop } from '../../bench/agent/measure.js'
import { makePayload } from '../../bench/agent/payload.js'
import { agentPath } from '../../host/agent-binary.js'
import { checkout, scratch, sha256File } from '../support/scratch.js'

const agent = agentContestant(agentPath())
const stock = [
  libtorrentContestant(join(checkout, 'bench', 'agent', 'libtorrent_client.py')),
  aria2Contestant(),
]

for (const client of stock) {
  for (const [seeder, leecher] of [
    [agent, client],
    [client, agent],
  ] as const) {
    test(`${leecher.name} downloads from ${seeder.name}`, async (t) => {
      const directory = scratch(t)
      // A last piece that is short and a last block that is no multiple of anything.
      const payload = makePayload(join(directory, 'seed'), 5_000_123, 65_536)
      const { child, port } = await seeder.seed(payload)
      t.after(() => stop(child))
      const out = join(directory, 'out')
      mkdirSync(out)
      await leecher.fetch(payload, out, [port])
      assert.equal(await sha256File(join(out, payload.name)), payload.sha256)
    })
  }
}
