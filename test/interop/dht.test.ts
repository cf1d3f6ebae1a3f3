/**
 * The agent's DHT node among nodes that we did not write: bittorrent-dht and libtorrent. No tracker, no LSD,
 * and addresses of peers are given to nobody.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import DHT from 'bittorrent-dht'
import { freePort, startService, stop } from '../../bench/agent/measure.js'
import { makePayload, type Payload } from '../../bench/agent/payload.js'
import { agentPath } from '../../host/agent-binary.js'
import { hangMs } from '../support/limits.js'
import { scratch, sha256File } from '../support/scratch.js'

const python = '/usr/bin/python3'

const libtorrentScript = `
import libtorrent as lt, sys, time
session = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': True, 'enable_lsd': False,
    'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
    'allow_multiple_connections_per_ip': True, 'dht_bootstrap_nodes': sys.argv[3],
    'dht_restrict_routing_ips': False, 'dht_restrict_search_ips': False, 'dht_ignore_dark_internet': False})
handle = session.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2]})
deadline = time.time() + ${hangMs / 1000}
while not handle.status().is_seeding and time.time() < deadline:
    handle.force_dht_announce()
    session.wait_for_alert(1000)
    session.pop_alerts()
sys.exit(0 if handle.status().is_seeding else 1)
`

function payload(t: TestContext): Payload {
  return makePayload(join(scratch(t), 'seed'), 700_001, 65_536)
}

/** A stock node; without an address to start from it is the first of its DHT. */
async function stockNode(t: TestContext, bootstrap?: string): Promise<DHT> {
  const node = new DHT({ bootstrap: bootstrap ? [bootstrap] : false })
  await new Promise<void>((resolve) => node.listen(0, resolve))
  t.after(() => new Promise<void>((resolve) => node.destroy(resolve)))
  return node
}

async function agentSeed(t: TestContext, from: Payload, port: number, dht: string): Promise<ChildProcess> {
  const flags = [
    '--data',
    join(from.directory, from.name),
    '--bind',
    '127.0.0.1',
    '--port',
    `${port}`,
    '--dht',
    dht,
  ]
  const child = await startService(agentPath(), ['seed', from.torrentFile, ...flags], /port/)
  t.after(() => stop(child))
  return child
}

async function runToEnd(t: TestContext, program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => stop(child))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  const [code] = await once(child, 'close')
  assert.equal(code, 0, output)
}

test('two agents find each other through a bittorrent-dht node', async (t) => {
  const from = payload(t)
  const root = await stockNode(t)
  const address = `127.0.0.1:${root.address().port}`
  await agentSeed(t, from, await freePort(), address)
  const out = join(from.directory, 'fetched')
  const flags = ['-o', out, '--bind', '127.0.0.1', '--dht', address, '--timeout-s', `${hangMs / 1000}`]
  await runToEnd(t, agentPath(), ['fetch', from.torrentFile, ...flags])
  assert.equal(await sha256File(out), from.sha256)
})

test('an agent keeps for bittorrent-dht nodes what others of them have announced', async (t) => {
  const from = payload(t)
  const root = await stockNode(t)
  const port = await freePort()
  const announced = once(root, 'announce')
  await agentSeed(t, from, port, `127.0.0.1:${root.address().port}`)
  const [peer, infohash] = await announced
  assert.deepEqual(
    [peer.port, infohash],
    [port, Buffer.from(from.infohash, 'hex')],
    'the agent announces itself',
  )

  // From here on the agent is the only node that the stock ones know.
  await new Promise<void>((resolve) => root.destroy(resolve))
  const other = randomBytes(20)
  const announcer = await stockNode(t, `127.0.0.1:${port}`)
  await new Promise<void>((resolve, reject) =>
    announcer.announce(other, 4242, (error) => (error ? reject(error) : resolve())),
  )
  await new Promise<void>((resolve) => announcer.destroy(resolve))
  const asker = await stockNode(t, `127.0.0.1:${port}`)
  const found = once(asker, 'peer')
  asker.lookup(other)
  const [answer] = await found
  assert.equal(answer.port, 4242)
})

test('libtorrent finds an agent that is its only way into the DHT', async (t) => {
  const from = payload(t)
  const root = await stockNode(t)
  const port = await freePort()
  const announced = once(root, 'announce')
  await agentSeed(t, from, port, `127.0.0.1:${root.address().port}`)
  await announced
  const out = join(from.directory, 'out')
  mkdirSync(out)
  await runToEnd(t, python, ['-c', libtorrentScript, from.torrentFile, out, `127.0.0.1:${port}`])
  assert.equal(await sha256File(join(out, from.name)), from.sha256)
})
