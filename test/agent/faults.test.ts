/** Bad servers, bad peers and bad archives against the real agent: who is blamed, and does the boot still end well? */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Manifest } from '../../src/manifest.js'
import { type Misdeed, startEvilPeer } from '../support/evil-peer.js'
import { type FaultServer, type Faults, startFaultServer } from '../support/fault-server.js'
import { startAgent, type TestAgent } from '../support/processes.js'
import { scratch } from '../support/scratch.js'
import { startSlowPeer } from '../support/slow-peer.js'
import { makeSite, type TestSite } from '../support/test-site.js'

interface Setup {
  directory: string
  site: TestSite
  server: FaultServer
  boot: (flags?: readonly string[]) => TestAgent
}

async function setup(
  t: TestContext,
  faults: Faults,
  extra: Partial<Manifest> = {},
  // More pieces than a manifest has hashes of.
  bulk = 1_300_000,
): Promise<Setup> {
  const directory = scratch(t)
  const site = makeSite(directory, bulk)
  const server = await startFaultServer(t, directory, [site.rootfs, ...site.plugins], faults, extra)
  const target = join(directory, 'root')
  mkdirSync(target)
  const boot = (flags: readonly string[] = []) =>
    startAgent(t, {
      node: 'rig1',
      target,
      server: server.url,
      trust: server.trustDir,
      flags: ['--no-lsd', '--no-dht', ...flags],
    })
  return { directory, site, server, boot }
}

function assertBooted({ site }: Setup, agent: TestAgent): void {
  assert.deepEqual(readFileSync(join(agent.target, site.bulkFile)), site.bulk)
  assert.ok(existsSync(join(agent.target, 'opt/miner/run')))
  assert.ok(
    existsSync(join(agent.target, 'usr/lib/modules/gpu.ko')),
    'the link /lib is followed inside the root',
  )
}

/** Every way in which a manifest may be wrong, and the code that says so. */
const badManifests: readonly [string, string, Faults][] = [
  ['a wrong signature', 'MANIFEST_BAD_SIGNATURE', { body: (body) => flip(body, body.length - 2) }],
  ['a broken header', 'MANIFEST_MALFORMED', { body: (body) => flip(body, 3) }],
  ['a truncated body', 'MANIFEST_BAD_SIGNATURE', { body: (body) => body.subarray(0, body.length - 7) }],
  ['an empty body', 'MANIFEST_MALFORMED', { body: () => new Uint8Array() }],
  ['a replay', 'MANIFEST_REPLAYED', { manifest: (m) => ({ ...m, nonce: '0'.repeat(32) }) }],
  ['an unknown field', 'MANIFEST_UNKNOWN_FIELD', { manifest: (m) => ({ ...m, surprise: 1 }) }],
  ['a missing field', 'MANIFEST_MALFORMED', { manifest: ({ site: _, ...rest }) => rest }],
  ['another node', 'MANIFEST_WRONG_NODE', { manifest: (m) => ({ ...m, node: { ...m.node, id: 'rig2' } }) }],
  [
    'an infohash of something else',
    'MANIFEST_BAD_INFOHASH',
    {
      manifest: (m) => ({
        ...m,
        artifacts: m.artifacts.map((a, i) => (i === 1 ? { ...a, infohash: 'a'.repeat(40) } : a)),
      }),
    },
  ],
  [
    'a name that climbs',
    'MANIFEST_LIMIT',
    { manifest: (m) => ({ ...m, artifacts: m.artifacts.map((a) => ({ ...a, name: '../etc/passwd' })) }) },
  ],
]

for (const [what, code, faults] of badManifests) {
  test(`a manifest with ${what} is refused with ${code}, and nothing is unpacked`, async (t) => {
    const { boot } = await setup(t, faults)
    const agent = boot(['--once'])
    assert.equal(await agent.exited, 1)
    assert.ok(agent.lines.join('\n').includes(code), agent.lines.join('\n'))
    assert.ok(!existsSync(join(agent.target, 'etc')))
  })
}

test('a manifest that is wrong once is asked for again, and the boot ends well', async (t) => {
  const s = await setup(t, { body: (body, attempt) => (attempt === 1 ? flip(body, body.length - 2) : body) })
  const agent = s.boot()
  await agent.event('boot.completed')
  assertBooted(s, agent)
  assert.equal(s.server.manifests(), 2)
  assert.ok(
    s.server.events.some((event) => event.type === 'boot.failed') ||
      agent.events.some((e) => e.type === 'boot.failed'),
  )
})

test('secrets of the settings appear neither on the console nor in the events', async (t) => {
  const s = await setup(t, {})
  const agent = s.boot()
  await agent.event('boot.completed')
  assert.match(readFileSync(join(agent.target, 'etc/environment'), 'utf8'), /WALLET=.*secret of the test/)
  assert.ok(!agent.lines.join('\n').includes('secret of the test'))
  assert.ok(!JSON.stringify(s.server.events).includes('secret of the test'))
})

const badTrackers: readonly [string, Faults['tracker']][] = [
  ['answers garbage', (_, response) => response.end('d8:intervali')],
  ['answers a list nested 10,000 deep', (_, response) => response.end('l'.repeat(10_000))],
  ['answers without end', (_, response) => endless(response)],
  ['is silent', () => undefined],
  ['hangs up', (request) => request.socket.destroy()],
  ['answers 500', (_, response) => response.writeHead(500).end()],
  [
    'names peers that are not there',
    (_, response) => response.end(Buffer.from('d8:intervali1e5:peers6:\x7f\x00\x00\x01\x00\x01e', 'latin1')),
  ],
]

for (const [what, tracker] of badTrackers) {
  test(`the boot ends well with a tracker that ${what}`, async (t) => {
    const s = await setup(t, tracker ? { tracker } : {})
    const agent = s.boot()
    await agent.event('boot.completed')
    assertBooted(s, agent)
  })
}

const misdeeds: readonly [Misdeed, string | undefined][] = [
  ['wrong bytes', 'PEER_BAD_PIECE'],
  ['stall in mid-piece', undefined],
  ['disconnect in mid-piece', undefined],
  ['garbage', 'PEER_PROTOCOL'],
  ['huge message', 'PEER_PROTOCOL'],
]

for (const [misdeed, code] of misdeeds) {
  test(`the boot ends well with a peer that answers with ${misdeed}`, async (t) => {
    let port = 0
    const s = await setup(t, {
      tracker: (_, response) => response.end(trackerAnswer([port])),
    })
    const peer = await startEvilPeer(t, misdeed, (infohash) => {
      const artifact = s.server.artifacts.find((candidate) => candidate.infohash === infohash)
      return Math.ceil((artifact?.size_bytes ?? 0) / 65_536)
    })
    port = peer.port
    const agent = s.boot()
    await agent.event('boot.completed')
    assertBooted(s, agent)
    assert.ok(peer.requests() > 0, 'the peer was asked')
    if (code) assert.ok(agent.lines.join('\n').includes(code), agent.lines.join('\n'))
  })
}

test('the boot ends well with 23 peers that claim every piece and send nothing', async (t) => {
  const ports: number[] = []
  const s = await setup(t, { tracker: (_, response) => response.end(trackerAnswer(ports)) })
  const piecesOf = (infohash: string) => {
    const artifact = s.server.artifacts.find((candidate) => candidate.infohash === infohash)
    return Math.ceil((artifact?.size_bytes ?? 0) / 65_536)
  }
  const peers = []
  for (let peer = 0; peer < 23; peer += 1) peers.push(await startEvilPeer(t, 'silence', piecesOf))
  ports.push(...peers.map((peer) => peer.port))
  const agent = s.boot()
  await agent.event('boot.completed')
  assertBooted(s, agent)
  assert.ok(
    peers.some((peer) => peer.requests() > 0),
    'they were asked',
  )
})

test('one honest peer that is slow is not waited for where the server is not', async (t) => {
  const ports: number[] = []
  const bulk = 8_000_000
  const s = await setup(t, { tracker: (_, response) => response.end(trackerAnswer(ports)) }, {}, bulk)
  const bytes = readFileSync(s.site.rootfs)
  const infohash = s.server.artifacts[0]?.infohash ?? ''
  ports.push((await startSlowPeer(t, { infohash, bytes, bytesPerSecond: 262_144 })).port)
  const agent = s.boot()
  await agent.event('boot.completed')
  assertBooted(s, agent)
  // Nobody but the server has the plugins.
  const plugins = s.server.artifacts.filter((artifact) => artifact.kind === 'plugin')
  const pluginBytes = plugins.reduce((sum, artifact) => sum + artifact.size_bytes, 0)
  assert.ok(s.server.artifactBytes() > pluginBytes, 'the server was asked for the root file system, too')
})

/** A tracker's answer that names these ports of this machine. */
function trackerAnswer(ports: readonly number[]): Buffer {
  const peers = Buffer.from(ports.flatMap((port) => [127, 0, 0, 1, port >> 8, port & 255]))
  const head = `d8:intervali1e5:peers${peers.length}:`
  return Buffer.concat([Buffer.from(head), peers, Buffer.from('e')])
}

test('an origin that sends wrong bytes once is told so and asked again', async (t) => {
  let spoiled = 0
  const s = await setup(t, {
    artifact: (request, response, bytes) => {
      if (spoiled > 0) return false
      spoiled += 1
      const [, first = '0', last = `${bytes.length - 1}`] =
        /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const length = Number(last) - Number(first) + 1
      response.writeHead(request.headers.range ? 206 : 200, {
        'content-length': length,
        'content-range': `bytes ${first}-${last}/${bytes.length}`,
      })
      response.end(Buffer.alloc(length, 0xee))
      return true
    },
  })
  const agent = s.boot()
  await agent.event('boot.completed')
  assertBooted(s, agent)
})

for (const [what, cut] of [
  ['cuts every answer in the middle', true],
  ['answers 503 with Retry-After at first', false],
] as const) {
  test(`the boot ends well with an origin that ${what}`, async (t) => {
    let times = 0
    const s = await setup(t, {
      artifact: (request, response, bytes) => {
        times += 1
        if (times > 4) return false
        if (!cut) {
          response.writeHead(503, { 'retry-after': '1' }).end('{"code":"ORIGIN_BUSY","message":"busy"}')
          return true
        }
        const [, first = '0', last = '0'] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
        const length = Number(last) - Number(first) + 1
        response.writeHead(206, {
          'content-length': length,
          'content-range': `bytes ${first}-${last}/${bytes.length}`,
        })
        response.write(bytes.subarray(Number(first), Number(first) + (length >> 1)), () => response.destroy())
        return true
      },
    })
    const agent = s.boot()
    await agent.event('boot.completed')
    assertBooted(s, agent)
  })
}

const badTorrents: readonly [string, NonNullable<Faults['torrent']>][] = [
  ['answers 404 at first', (response) => response.writeHead(404).end() !== undefined],
  [
    'answers 503 with Retry-After',
    (response) => response.writeHead(503, { 'retry-after': '1' }).end() !== undefined,
  ],
  ['answers garbage', (response) => response.end('d4:infod6:lengthi') !== undefined],
  [
    'gives other hashes',
    (response, torrent) => response.end(flip(torrent, torrent.length - 30)) !== undefined,
  ],
  ['hangs up', (response) => response.destroy() !== undefined],
]

for (const [what, torrent] of badTorrents) {
  test(`the boot ends well where the server has the hashes of the pieces and ${what}`, async (t) => {
    let times = 0
    const s = await setup(t, { torrent: (response, bytes) => times++ === 0 && torrent(response, bytes) })
    const agent = s.boot()
    await agent.event('boot.completed')
    assertBooted(s, agent)
    assert.equal(times, 2)
  })
}

test('the infohash of another file is refused when its hashes come', async (t) => {
  const s = await setup(t, {
    manifest: (m) => ({
      ...m,
      artifacts: m.artifacts.map((a) => (a.pieces === '' ? { ...a, name: 'other.tar' } : a)),
    }),
  })
  const agent = s.boot(['--once'])
  assert.equal(await agent.exited, 1)
  assert.ok(agent.lines.join('\n').includes('MANIFEST_BAD_INFOHASH'), agent.lines.join('\n'))
})

test('a whole file whose SHA-256 differs is never entered: the try fails and the next one boots', async (t) => {
  const s = await setup(t, {
    manifest: (manifest, attempt) =>
      attempt > 1
        ? manifest
        : {
            ...manifest,
            artifacts: manifest.artifacts.map((a) =>
              a.kind === 'rootfs' ? { ...a, sha256: 'b'.repeat(64), origins: a.origins } : a,
            ),
          },
  })
  const agent = s.boot()
  const failed = await agent.event('boot.failed')
  assert.equal(failed.data.code, 'ARTIFACT_BAD_SHA256')
  await agent.event('boot.completed')
  assertBooted(s, agent)
})

test('an archive that climbs out of the root fails the boot and touches nothing outside', async (t) => {
  const directory = scratch(t)
  const stage = join(directory, 'stage')
  mkdirSync(join(stage, 'a'), { recursive: true })
  writeFileSync(join(stage, 'a', 'canary'), 'escaped')
  const archive = join(directory, 'evil.tar.gz')
  execFileSync('tar', ['-C', join(stage, 'a'), '-czPf', archive, '--transform=s,^,../../,', 'canary'])
  const server = await startFaultServer(t, directory, [archive])
  const target = join(directory, 'x', 'root')
  mkdirSync(target, { recursive: true })
  const agent = startAgent(t, {
    node: 'rig1',
    target,
    server: server.url,
    trust: server.trustDir,
    flags: ['--once', '--no-lsd', '--no-dht'],
  })
  assert.equal(await agent.exited, 1)
  assert.ok(agent.lines.join('\n').includes('ARCHIVE_ESCAPES'), agent.lines.join('\n'))
  assert.ok(!existsSync(join(directory, 'canary')))
})

function flip(body: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(body)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

function endless(response: {
  write: (chunk: Buffer) => boolean
  on: (event: 'drain', next: () => void) => unknown
  destroyed: boolean
}): void {
  const chunk = Buffer.alloc(65_536, 0x30)
  const pump = () => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', pump)
  response.write(Buffer.from('d8:interval'))
  pump()
}
