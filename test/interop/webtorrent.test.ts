/** webtorrent, which is most particular about the beginning of a connection, downloads from the agent. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import WebTorrent from 'webtorrent'
import { stop } from '../../bench/agent/measure.js'
import { makePayload, type Payload } from '../../bench/agent/payload.js'
import { agentPath } from '../../host/agent-binary.js'
import { scratch, sha256File } from '../support/scratch.js'

interface Line {
  readonly type: string
  readonly port?: number
  readonly who?: string
  readonly what?: string
}

/** An agent that serves the payload, and what it says, line by line. */
async function seed(t: TestContext, { torrentFile, directory, name }: Payload) {
  const flags = ['--data', join(directory, name), '--bind', '127.0.0.1', '--json']
  const child = spawn(agentPath(), ['seed', torrentFile, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => stop(child))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async (type: string): Promise<Line> => {
    for (;;) {
      const { value, done } = await lines.next()
      assert.ok(!done, `the agent ended without a line of type ${type}`)
      const line = JSON.parse(value) as Line
      if (line.type === type) return line
    }
  }
  return { next, port: (await next('started')).port }
}

/** A client that knows no peer but this one. `secure` as webtorrent has it: 1 (its default) and 2 want encryption. */
function download(t: TestContext, payload: Payload, out: string, port: number | undefined, secure: number) {
  const off = {
    dht: false,
    lsd: false,
    tracker: false,
    utp: false,
    utPex: false,
    natUpnp: false,
    natPmp: false,
  }
  const client = new WebTorrent({ ...off, secure })
  t.after(() => new Promise<void>((resolve) => client.destroy(() => resolve())))
  const torrent = client.add(readFileSync(payload.torrentFile), { path: out }, () =>
    torrent.addPeer(`127.0.0.1:${port}`),
  )
  return torrent
}

test('webtorrent without encryption downloads from an agent', async (t) => {
  const directory = scratch(t)
  const payload = makePayload(join(directory, 'seed'), 1_000_123, 65_536)
  const agent = await seed(t, payload)
  const out = join(directory, 'out')
  await once(download(t, payload, out, agent.port, 0), 'done')
  assert.equal(await sha256File(join(out, payload.name)), payload.sha256)
})

test('an agent says why webtorrent gets nothing when it wants encryption', async (t) => {
  const directory = scratch(t)
  const payload = makePayload(join(directory, 'seed'), 100_000, 65_536)
  const agent = await seed(t, payload)
  download(t, payload, join(directory, 'out'), agent.port, 1)
  const { who, what } = await agent.next('problem')
  assert.match(who ?? '', /^127\.0\.0\.1:\d+$/)
  assert.match(what ?? '', /^PEER_PROTOCOL: .*encryption \(MSE\/PE\)/)
})
