/** Tracker, LSD and PEX: each alone is enough for an agent to find the swarm. The DHT: test/interop/dht.test.ts. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freePort, startService } from '../../bench/agent/measure.js'
import { makePayload, type Payload } from '../../bench/agent/payload.js'
import { agentPath } from '../../host/agent-binary.js'
import { hangMs } from '../support/limits.js'
import { end } from '../support/processes.js'
import { checkout, scratch, sha256File } from '../support/scratch.js'

async function seed(
  t: TestContext,
  payload: Payload,
  port: number,
  flags: readonly string[],
): Promise<ChildProcess> {
  const data = ['--data', join(payload.directory, payload.name), '--bind', '127.0.0.1', '--port', `${port}`]
  const child = await startService(agentPath(), ['seed', payload.torrentFile, ...data, ...flags], /port \d+/)
  t.after(() => end(child, 'SIGKILL'))
  return child
}

/** Fetches with these ways of discovery only, and compares. */
async function assertFetches(t: TestContext, payload: Payload, flags: readonly string[]): Promise<void> {
  const out = join(payload.directory, 'out')
  mkdirSync(out)
  const file = join(out, payload.name)
  const child = spawn(
    agentPath(),
    [
      'fetch',
      payload.torrentFile,
      '-o',
      file,
      '--bind',
      '127.0.0.1',
      '--timeout-s',
      `${hangMs / 1000}`,
      ...flags,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  t.after(() => end(child, 'SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = await once(child, 'close')
  assert.equal(code, 0, output)
  assert.equal(await sha256File(file), payload.sha256)
}

test('a tracker alone', async (t) => {
  const payload = makePayload(join(scratch(t), 'seed'), 1_000_123, 65_536)
  const ports = new Set<number>()
  const tracker = createServer((request, response) => {
    ports.add(Number(new URLSearchParams(request.url?.split('?')[1]).get('port')))
    const peers = Buffer.concat([...ports].map((port) => Buffer.from([127, 0, 0, 1, port >> 8, port & 255])))
    response.end(
      Buffer.concat([Buffer.from(`d8:intervali1e5:peers${peers.length}:`), peers, Buffer.from('e')]),
    )
  })
  tracker.listen(0, '127.0.0.1')
  await once(tracker, 'listening')
  t.after(() => tracker.close())
  const flags = ['--tracker', `http://127.0.0.1:${(tracker.address() as AddressInfo).port}/announce`]
  await seed(t, payload, await freePort(), flags)
  await assertFetches(t, payload, flags)
})

test('local service discovery alone', async (t) => {
  const payload = makePayload(join(scratch(t), 'seed'), 1_000_123, 65_536)
  await seed(t, payload, await freePort(), ['--lsd'])
  await assertFetches(t, payload, ['--lsd'])
})

test('peer exchange alone, through a libtorrent peer that has nothing', async (t) => {
  const directory = scratch(t)
  const payload = makePayload(join(directory, 'seed'), 1_000_123, 65_536)
  const seedPort = await freePort()
  await seed(t, payload, seedPort, [])
  const middlePort = await freePort()
  const empty = join(directory, 'empty')
  mkdirSync(empty)
  const script = join(checkout, 'test', 'support', 'libtorrent_pex.py')
  const middle = await startService(
    '/usr/bin/python3',
    [script, payload.torrentFile, empty, `${middlePort}`, `${seedPort}`],
    /^ready$/,
  )
  t.after(() => end(middle, 'SIGKILL'))
  await assertFetches(t, payload, ['--peer', `127.0.0.1:${middlePort}`])
})
