import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { pino } from 'pino'
import { type CatalogArtifact, LiveVersions } from '../../../server/catalog/versions.js'
import { Addresses } from '../../../server/process/addresses.js'
import { Failures } from '../../../server/process/failures.js'
import { noPorts, reachOf } from '../../../server/wiring/parts.js'
import { makeSwarm } from '../../../server/wiring/swarm.js'
import { type BencodeDict, decodeBencode } from '../../../src/bencode.js'
import { configSchema } from '../../../src/config.js'
import { flatTree } from '../../../src/rack-tree.js'
import { loopback } from '../../support/interfaces.js'
import { childrenOf } from '../../support/processes.js'
import { scratch } from '../../support/scratch.js'
import { until } from '../catalog/support.js'
import { sampleTorrent } from '../swarm/helpers.js'

async function get(port: number, path: string): Promise<BencodeDict> {
  return new Promise((resolve, reject) => {
    request({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => resolve(decodeBencode(Buffer.concat(parts)) as BencodeDict))
    })
      .on('error', reject)
      .end()
  })
}

/** The four services with real processes, and the tracker on a listener. */
async function run(t: TestContext, natAddress?: string) {
  const directory = scratch(t)
  const sample = await sampleTorrent(t, { sizeBytes: 70_000, pieceLength: 16_384 })
  copyFileSync(sample.path, join(directory, 'stored'))
  const ports = noPorts()
  const lines: { event: string }[] = []
  const config = configSchema.parse({
    seeder: { port: 0 },
    dht: { enabled: true, port: 0 },
    lsd: { enabled: false },
  })
  const addresses = new Addresses({
    configured: natAddress,
    netboot: config.netboot,
    read: () => [loopback],
  })
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const nowMs = () => Date.now()
  const failures = new Failures(log, nowMs)
  const swarm = makeSwarm(
    { config, log, nowMs, failures },
    {
      rackOf: () => 'rack',
      rackTree: () => flatTree,
      pathOf: (sha256) => join(directory, sha256),
      torrentOf: () => sample.torrent,
      isCalm: () => false,
      addresses,
      reach: reachOf(config, addresses),
      ports,
    },
  )
  t.after(() => swarm.stop())
  const app = Fastify()
  await app.register(swarm.trackerPlugin)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(() => app.close())
  const artifact: CatalogArtifact = {
    ...{
      kind: 'rootfs',
      name: 'rootfs.tar.xz',
      sizeBytes: sample.sizeBytes,
      sha256: 'stored',
      format: 'tar',
    },
    modifiedS: 1,
    torrent: { infohash: sample.infohash, pieceLengthBytes: 16_384, piecesBase64: '' },
  }
  const percent = sample.infohash.replace(/../g, '%$&')
  const path = `/announce?info_hash=${percent}&peer_id=-TR3000-abcdefghijkl&port=7&left=1&uploaded=0&downloaded=0&compact=1`
  const announce = () => get((app.server.address() as AddressInfo).port, path)
  const live = (...artifacts: CatalogArtifact[]) =>
    new LiveVersions([{ version: 1, createdMs: 1, artifacts }])
  return { swarm, failures, ports, lines, artifact, live, announce }
}

const lastPeer = (answer: BencodeDict) => {
  const bytes = Buffer.from(answer.get('peers') as Uint8Array).subarray(-6)
  return bytes.length === 0 ? undefined : `${bytes.subarray(0, 4).join('.')}:${bytes.readUInt16BE(4)}`
}

test('the services follow the catalog: tracker and seeder know exactly its torrents', async (t) => {
  const { swarm, ports, artifact, live, announce } = await run(t)
  assert.deepEqual(ports, { http: 0, https: 0, seeder: 0, dht: 0, operators: 0 })
  swarm.update(live(artifact))
  // Before its port is open, nobody is sent to the seeder.
  assert.equal(lastPeer(await announce()), undefined)
  await swarm.start()
  assert.ok(ports.seeder > 0 && ports.dht > 0)
  await until('the torrent is seeded', () => swarm.seederStats().torrents.length === 1)
  assert.equal(swarm.seederStats().torrents[0]?.infohash, artifact.torrent?.infohash)
  assert.equal(lastPeer(await announce()), `127.0.0.1:${ports.seeder}`)
  assert.equal(swarm.trackerStats().peers, 1)
  assert.equal(swarm.isHandingOut(), false)
  await new Promise<void>((told) => swarm.onSeederStats(told))
  swarm.forget('127.0.0.1')
  assert.equal(swarm.trackerStats().peers, 0)

  swarm.update(live())
  await until('nothing is seeded', () => swarm.seederStats().torrents.length === 0)
  assert.match(
    String(Buffer.from(((await announce()).get('failure reason') ?? '') as Uint8Array)),
    /unknown torrent/,
  )
})

test('a process that dies is named until another one listens', async (t) => {
  const { swarm, failures } = await run(t)
  const seenBefore = new Set(childrenOf(process.pid))
  await swarm.start()
  assert.deepEqual(failures.list(), [])
  const parts = new Set<string>()
  for (const pid of childrenOf(process.pid)) {
    if (seenBefore.has(pid)) continue
    process.kill(pid, 'SIGKILL')
    await until('the failure is shown', () => failures.list().length > 0)
    const [failure] = failures.list()
    parts.add(failure?.part ?? '')
    assert.equal(failure?.code, 'SEEDER_FAILED')
    assert.match(failure?.message ?? '', /SIGKILL.*another one starts in 0\.1 s/)
    await until('it works again', () => failures.list().length === 0)
  }
  assert.deepEqual(parts, new Set(['the BitTorrent seeder', 'the DHT node']))
})

test('behind a NAT stock clients are sent to the configured address', async (t) => {
  const { swarm, ports, artifact, live, announce } = await run(t, '192.0.2.9')
  swarm.update(live(artifact))
  await swarm.start()
  assert.equal(lastPeer(await announce()), `192.0.2.9:${ports.seeder}`)
})

test('what cannot be seeded is said with its name, and left to HTTPS', async (t) => {
  const { swarm, lines, artifact, live, announce } = await run(t)
  await swarm.start()
  swarm.update(live({ ...artifact, sha256: 'no-such-file' }))
  await until('the failure is said', () => lines.some(({ event }) => event === 'seeder.add-failed'))
  assert.equal((await announce()).get('failure reason'), undefined)
})
