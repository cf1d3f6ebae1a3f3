/**
 * Stock clients download from the seeder, introduced by the tracker alone: libtorrent (python3-libtorrent)
 * and aria2. DHT, LSD and peer exchange are off, so that nothing else can have helped.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { createTracker } from '../../server/swarm/tracker.js'
import { runSeeder, sampleTorrent } from '../server/swarm/helpers.js'
import { hangMs } from '../support/limits.js'

const python = '/usr/bin/python3'
const libtorrentMissing = spawnSync(python, ['-c', 'import libtorrent']).status !== 0
const aria2Missing = spawnSync('aria2c', ['--version']).status !== 0

const libtorrentScript = `
import libtorrent as lt, sys, time
session = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False,
    'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False})
handle = session.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2]})
deadline = time.time() + ${hangMs / 1000}
while not handle.status().is_seeding and time.time() < deadline:
    session.wait_for_alert(100)
    session.pop_alerts()
sys.exit(0 if handle.status().is_seeding else 1)
`

interface Site {
  torrentFile: string
  directory: string
  content: Buffer
  uploadedBytes(): number
}

async function site(t: TestContext): Promise<Site> {
  let port = 0
  const tracker = createTracker({
    rackOf: () => 'rack',
    seeder: () => ({ port }),
    nowMs: () => performance.now(),
    random: Math.random,
  })
  const app = Fastify()
  await app.register(tracker.plugin)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(() => app.close())
  const announce = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/announce`
  const torrent = await sampleTorrent(t, { sizeBytes: 20_000_003, pieceLength: 262_144, announce })
  const running = await runSeeder(t)
  port = running.port
  await running.seeder.add(torrent)
  tracker.setTorrents([torrent.infohash])
  const torrentFile = join(torrent.directory, 'test.torrent')
  await writeFile(torrentFile, torrent.torrent)
  const directory = join(torrent.directory, 'download')
  await mkdir(directory)
  const { content } = torrent
  return { torrentFile, directory, content, uploadedBytes: () => running.seeder.stats().uploadedBytes }
}

async function run(t: TestContext, command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (part) => {
    output += part
  })
  child.stderr.on('data', (part) => {
    output += part
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(code, 0, output)
}

test('libtorrent', {
  skip: libtorrentMissing && 'python3-libtorrent is missing',
  timeout: hangMs,
}, async (t) => {
  const at = await site(t)
  await run(t, python, ['-c', libtorrentScript, at.torrentFile, at.directory])
  assert.ok((await readFile(join(at.directory, 'rootfs.tar.xz'))).equals(at.content))
})

test('aria2', { skip: aria2Missing && 'aria2 is missing', timeout: hangMs }, async (t) => {
  const at = await site(t)
  const off = ['--enable-dht=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false']
  await run(t, 'aria2c', [
    ...off,
    '--seed-time=0',
    '--listen-port=20000-60000',
    `--dir=${at.directory}`,
    at.torrentFile,
  ])
  assert.ok((await readFile(join(at.directory, 'rootfs.tar.xz'))).equals(at.content))
})

test('aria2 with required encryption (MSE)', {
  skip: aria2Missing && 'aria2 is missing',
  timeout: hangMs,
}, async (t) => {
  const at = await site(t)
  const off = ['--enable-dht=false', '--bt-enable-lpd=false', '--bt-force-encryption=true']
  await run(t, 'aria2c', [
    ...off,
    '--seed-time=0',
    '--listen-port=20000-60000',
    `--dir=${at.directory}`,
    at.torrentFile,
  ])
  assert.ok((await readFile(join(at.directory, 'rootfs.tar.xz'))).equals(at.content))
})
