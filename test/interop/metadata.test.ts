/** The hashes of the pieces by BEP 9: libtorrent gets them from the agent by a magnet link, the agent from libtorrent. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { agentContestant, libtorrentContestant } from '../../bench/agent/clients.js'
import { runMeasured, stop } from '../../bench/agent/measure.js'
import { makePayload } from '../../bench/agent/payload.js'
import { agentPath } from '../../host/agent-binary.js'
import { startFaultServer } from '../support/fault-server.js'
import { hangMs } from '../support/limits.js'
import { startAgent } from '../support/processes.js'
import { checkout, scratch, sha256File } from '../support/scratch.js'
import { makeSite } from '../support/test-site.js'

const magnetScript = `
import libtorrent as lt, sys, time
session = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False,
    'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False})
params = lt.parse_magnet_uri('magnet:?xt=urn:btih:' + sys.argv[1])
params.save_path = sys.argv[2]
handle = session.add_torrent(params)
handle.connect_peer(('127.0.0.1', int(sys.argv[3])))
deadline = time.time() + ${hangMs / 1000}
while not handle.status().is_seeding and time.time() < deadline:
    session.wait_for_alert(100)
    session.pop_alerts()
sys.exit(0 if handle.status().is_seeding else 1)
`

test('libtorrent gets hashes in two parts, then the file, from the agent by a magnet link', async (t) => {
  const directory = scratch(t)
  const payload = makePayload(join(directory, 'seed'), 16_400_001, 16_384)
  const { child, port } = await agentContestant(agentPath()).seed(payload)
  t.after(() => stop(child))
  const out = join(directory, 'out')
  mkdirSync(out)
  await runMeasured('/usr/bin/python3', ['-c', magnetScript, payload.infohash, out, `${port}`])
  assert.equal(await sha256File(join(out, payload.name)), payload.sha256)
})

test('the agent boots with the hashes that libtorrent gave it, where the server gives nothing but manifests', async (t) => {
  const directory = scratch(t)
  const { rootfs, bulkFile, bulk } = makeSite(directory, 3_000_000)
  let port = 0
  const refuse = (response: { writeHead(status: number): { end(): unknown } }): boolean => {
    response.writeHead(404).end()
    return true
  }
  const server = await startFaultServer(t, directory, [rootfs], {
    artifact: (_, response) => refuse(response),
    torrent: (response) => refuse(response),
    tracker: (_, response) => {
      const peers = Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
      response.end(Buffer.concat([Buffer.from('d8:intervali1e5:peers6:'), peers, Buffer.from('e')]))
    },
  })
  const [artifact] = server.artifacts
  assert.ok(artifact?.pieces === '')
  const torrentFile = join(directory, 'root.torrent')
  writeFileSync(torrentFile, server.torrents.get(artifact.infohash) ?? '')
  const libtorrent = libtorrentContestant(join(checkout, 'bench', 'agent', 'libtorrent_client.py'))
  const seeding = await libtorrent.seed({
    torrentFile,
    directory: dirname(rootfs),
    name: artifact.name,
    infohash: artifact.infohash,
    sha256: artifact.sha256,
    sizeBytes: artifact.size_bytes,
    pieceLength: artifact.piece_length,
  })
  t.after(() => stop(seeding.child))
  port = seeding.port
  const target = join(directory, 'root')
  mkdirSync(target)
  const options = { node: 'rig1', target, server: server.url, trust: server.trustDir }
  const agent = startAgent(t, { ...options, flags: ['--no-lsd', '--no-dht'] })
  const done = await agent.event('boot.completed')
  assert.deepEqual(readFileSync(join(target, bulkFile)), bulk)
  assert.equal(done.data.from_origin_bytes, 0)
  assert.equal(server.artifactBytes(), 0)
})
