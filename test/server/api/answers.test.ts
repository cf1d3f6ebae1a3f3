import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { makeAnswers } from '../../../server/api/answers.js'
import { ManifestMaker } from '../../../server/catalog/manifest-maker.js'
import type { NetbootAnswers } from '../../../server/http/services.js'
import { KnownArchs } from '../../../server/nodes/known-archs.js'
import type { Standing } from '../../../server/nodes/node-proofs.js'
import { nodeRecords } from '../../../server/nodes/records.js'
import { NodeRegistry } from '../../../server/nodes/registry.js'
import { createTracker } from '../../../server/swarm/tracker.js'
import type { KernelArch } from '../../../src/arch.js'
import { wantedArtifacts } from '../../../src/artifact-choice.js'
import { type BencodeDict, decodeBencode } from '../../../src/bencode.js'
import type { AgentEvent } from '../../../src/events.js'
import { openManifest } from '../../../src/manifest.js'
import { makeNodeConfigs, type NodeConfig } from '../../../src/node-config.js'
import type { TicketMode } from '../../../src/tickets.js'
import { parseConfig } from '../../support/config.js'
import { noFailures } from '../../support/failures.js'
import { timelineOn } from '../../support/timeline.js'
import { Bench, tarball, until } from '../catalog/support.js'

const nonce = 'ab'.repeat(16)
const [firstBoot, nextBoot] = ['0011223344556677', '8899aabbccddeeff']
const ports = { http: 8480, https: 8443, seeder: 6881, dht: 0 }
const peerId = (letter: string) => `2d4257${Buffer.from(letter.repeat(17)).toString('hex')}`

/** The answers over a real catalog, registry and tracker. */
async function site(t: TestContext, natAddress?: string, yaml = 'nodes: [{match: a, hostname: rig-a}]') {
  const bench = new Bench()
  const config = parseConfig({ text: yaml, name: 'f' })
  const catalog = await bench.start({ wanted: () => wantedArtifacts(config) })
  const nowMs = () => 1_800_000_000_000
  const configs = makeNodeConfigs(config)
  const archs = new KnownArchs()
  const describe = (id: string, address: string): NodeConfig =>
    configs.of(id, address, archs.of(id), registry.get(id)?.machine)
  const registry: NodeRegistry = new NodeRegistry({
    store: nodeRecords(bench.store, describe),
    timeline: timelineOn(bench.store, nowMs),
    describe,
    nowMs,
    failures: noFailures(),
  })
  t.after(async () => {
    await registry.stop()
    await bench.end()
  })
  const clock = { nowMs: () => 1_000, random: () => 0.5 }
  const tracker = createTracker({ rackOf: () => 'rack', seeder: () => undefined, ...clock })
  catalog.onChange((live) => tracker.setTorrents(live.torrents.keys()))
  const keys = generateKeyPairSync('ed25519')
  const standings = new Map<string, Standing>()
  const boots: string[] = []
  const mode: { value: TicketMode } = { value: 'optional' }
  const answers = makeAnswers({
    catalog,
    registry,
    maker: new ManifestMaker({ site: 'test', signingKey: keys.privateKey, ports: () => ports }),
    proofs: { ofManifest: ({ node }) => standings.get(node) ?? 'open', checkReport: () => {} },
    describeBoot: (id, boot, address) => {
      boots.push(boot)
      return describe(id, address)
    },
    holdOf: () => undefined,
    ticketMode: () => mode.value,
    archSeen: (id, arch) => archs.note(id, arch),
    reachedAt: (address) => natAddress ?? address,
    httpPort: () => ports.http,
    introduce: (infohashes, node) => tracker.introduce(infohashes, node),
    forget: (address) => tracker.forget(address),
    status: () => ({}),
    wakesFor: () => ['52:54:00:00:00:01'],
    seedS: (node) => (node === 'a' ? 60 : undefined),
    admitReport: () => {},
    unverifiedReceived: () => assert.fail('nothing comes over plain HTTP here'),
    netboot: {} as NetbootAnswers,
    bytesServed: () => {},
    nowMs,
  })
  /** Asks for a manifest and gives it, and the announces' answers behind it. */
  const ask = (node: string, boot: string, address: string, letter?: string, arch?: KernelArch) => {
    const listening =
      letter === undefined ? {} : { listening: { peerId: peerId(letter), port: 7000 + letter.charCodeAt(0) } }
    const serverAddress = '10.0.0.1'
    const request = { node, nonce, boot, address, serverAddress, arch, proof: undefined, ...listening }
    const body = Buffer.from(answers.manifest(request))
    const end = letter === undefined ? body.length : body.lastIndexOf('}\nl') + 1
    const manifest = openManifest(body.subarray(0, end), keys.publicKey, { nonce, node })
    const peers = letter === undefined ? [] : (decodeBencode(body.subarray(end + 1)) as BencodeDict[])
    return { manifest, peers }
  }
  return { bench, catalog, registry, tracker, answers, standings, boots, mode, ask }
}

async function publish({ bench, catalog }: Awaited<ReturnType<typeof site>>, content: string): Promise<void> {
  const before = catalog.live.current?.version ?? 0
  bench.put('rootfs/base.tar.gz', await tarball('etc/hostname', content))
  await until('the next version', () => (catalog.live.current?.version ?? 0) > before)
}

test('no root file system, no manifest: boot files alone are none', async (t) => {
  const place = await site(t)
  place.bench.put('boot/vmlinuz', 'kernel')
  await until('boot files', () => place.answers.bootFile('vmlinuz') !== undefined)
  assert.throws(() => place.ask('a', firstBoot, '10.0.0.2'), { code: 'CATALOG_EMPTY' })
  assert.deepEqual(place.registry.list(), [])
})

test('where tickets are required a node that proves nothing gets none, and is not heard of', async (t) => {
  const place = await site(t)
  await publish(place, 'one')
  place.mode.value = 'required'
  place.standings.set('b', 'stranger').set('c', 'proven')
  for (const node of ['a', 'b'])
    assert.throws(() => place.ask(node, firstBoot, '10.0.0.2'), { code: 'TICKET_REQUIRED' })
  place.ask('c', firstBoot, '10.0.0.3')
  assert.deepEqual(
    place.registry.list().map(({ id }) => id),
    ['c'],
  )
})

test('a stranger gets a manifest, and the node stays as it is', async (t) => {
  const place = await site(t)
  await publish(place, 'one')
  place.ask('a', firstBoot, '10.0.0.2')
  const before = place.registry.get('a')
  place.standings.set('a', 'stranger')
  const { manifest } = place.ask('a', nextBoot, '10.0.0.66', undefined, 'arm64')
  assert.equal(manifest.node.hostname, 'rig-a')
  assert.deepEqual(place.registry.get('a'), before)
  assert.deepEqual(place.boots, [firstBoot, ''], 'what waits for the next boot waits on')
  place.standings.set('a', 'proven')
  place.ask('a', nextBoot, '10.0.0.3')
  assert.deepEqual([place.registry.get('a')?.boot, place.registry.get('a')?.address], [nextBoot, '10.0.0.3'])
})

test('a manifest is signed, the node’s own, and names the server as the node reached it', async (t) => {
  const place = await site(t)
  await publish(place, 'one')
  const { manifest } = place.ask('a', firstBoot, '10.0.0.2')
  assert.equal(manifest.node.hostname, 'rig-a')
  assert.equal(manifest.time_s, 1_800_000_000)
  assert.equal(manifest.version, 1)
  assert.deepEqual(manifest.trackers, ['http://10.0.0.1:8480/announce'])
  assert.deepEqual(manifest.seeders, ['10.0.0.1:6881'])
  const artifact = manifest.artifacts[0]
  assert.equal(artifact?.origins[0], `https://10.0.0.1:8443/v1/artifacts/${artifact?.sha256}/base.tar.gz`)
  assert.equal(place.registry.get('a')?.state, 'manifest')
  const torrent = Buffer.from(place.answers.torrent(artifact?.infohash ?? '', '10.0.0.1') ?? '')
  assert.ok(torrent.includes('http://10.0.0.1:8480/announce'))
})

test('behind a NAT all addresses are the configured one', async (t) => {
  const place = await site(t, '192.0.2.9')
  await publish(place, 'one')
  const { manifest } = place.ask('a', firstBoot, '10.0.0.2')
  assert.deepEqual(manifest.trackers, ['http://192.0.2.9:8480/announce'])
  assert.ok(manifest.events_url.startsWith('https://192.0.2.9:8443/'))
  const [artifact] = manifest.artifacts
  const torrent = Buffer.from(place.answers.torrent(artifact?.infohash ?? '', '10.0.0.1') ?? '')
  assert.ok(torrent.includes('http://192.0.2.9:8480/announce'))
})

test('a node in mid-boot gets the version that it began with, all others the newest', async (t) => {
  const place = await site(t)
  place.bench.booting.add(1)
  await publish(place, 'one')
  assert.equal(place.ask('a', firstBoot, '10.0.0.2').manifest.version, 1)
  await publish(place, 'two')
  assert.equal(place.ask('a', firstBoot, '10.0.0.2').manifest.version, 1)
  assert.equal(place.ask('b', firstBoot, '10.0.0.3').manifest.version, 2)
  assert.equal(place.ask('a', nextBoot, '10.0.0.2').manifest.version, 2)
})

test('nodes of two profiles get root file systems, plugins and settings of their own', async (t) => {
  const yaml = `
settings: {POOL: a}
profiles:
  gpu: {rootfs: gpu-*, plugins: 10-gpu.tar.gz, settings: {POOL: gpu}}
  arm: {rootfs: arm.tar.gz, plugins: "!10-*"}
groups:
  - {name: gpus, match: {nodes: "g[1-2]"}, profile: gpu}
  - {name: arms, match: {archs: arm64}, profile: arm}`
  const place = await site(t, undefined, yaml)
  const { bench, catalog, ask } = place
  for (const name of ['rootfs/gpu-1', 'rootfs/base', 'plugins/10-gpu', 'plugins/20-ssh']) {
    bench.put(`${name}.tar.gz`, await tarball('name', name))
  }
  await until('the files', () => catalog.live.current?.artifacts.length === 4)
  const seen = (id: string, arch?: KernelArch) => {
    const { artifacts, node } = ask(id, firstBoot, '10.0.0.2', undefined, arch).manifest
    return [artifacts.map(({ name }) => name), node.settings.POOL]
  }
  assert.deepEqual(seen('g1'), [['gpu-1.tar.gz', '10-gpu.tar.gz'], 'gpu'])
  assert.deepEqual(seen('b1'), [['base.tar.gz', '10-gpu.tar.gz', '20-ssh.tar.gz'], 'a'])
  // Each node is introduced to those of its own artifacts alone.
  assert.equal(ask('g2', firstBoot, '10.0.0.3', 'g').peers.length, 2)
  assert.equal(ask('b2', firstBoot, '10.0.0.4', 'b').peers.length, 3)

  assert.throws(() => seen('a1', 'arm64'), { code: 'PROFILE_ARTIFACT_MISSING', message: /arm\.tar\.gz/ })
  assert.deepEqual(
    catalog.problems.map(({ code, name }) => [code, name]),
    [['PROFILE_ARTIFACT_MISSING', 'arm.tar.gz']],
  )
  bench.put('rootfs/arm.tar.gz', await tarball('name', 'arm'))
  await until('the missing one', () => catalog.live.current?.artifacts.length === 5)
  // It is known from its request before.
  assert.deepEqual(seen('a1'), [['arm.tar.gz', '20-ssh.tar.gz'], 'a'])
})

test('a node in mid-boot whose profile asks for what its version lacks gets the newest version', async (t) => {
  const place = await site(t, undefined, 'profiles: {x: {rootfs: x.tar.gz}}\nnodes: [{match: a, profile: x}]')
  place.bench.booting.add(1)
  await publish(place, 'one')
  assert.equal(place.ask('b', firstBoot, '10.0.0.3').manifest.version, 1)
  place.registry.manifestServed('a', '10.0.0.2', firstBoot, 1)
  place.bench.put('rootfs/x.tar.gz', await tarball('name', 'x'))
  await until('x', () => place.catalog.live.current?.version === 2)
  assert.equal(place.ask('a', firstBoot, '10.0.0.2').manifest.version, 2)
  assert.equal(place.ask('b', firstBoot, '10.0.0.3').manifest.version, 1)
})

test('a node that has too many settings from all its groups is told so', async (t) => {
  const of = (letter: string) => Array.from({ length: 200 }, (_, i) => `${letter}${i}: x`).join(', ')
  const yaml = `profiles: {a: {settings: {${of('A')}}}, b: {settings: {${of('B')}}}}
groups:
  - {name: a, match: {subnets: 10.0.0.0/24}, profile: a}
  - {name: b, match: {subnets: 10.0.0.0/8}, profile: b}`
  const place = await site(t, undefined, yaml)
  await publish(place, 'one')
  assert.equal(Object.keys(place.ask('n', firstBoot, '10.0.1.2').manifest.node.settings).length, 200)
  assert.throws(() => place.ask('n', firstBoot, '10.0.0.2'), { code: 'MANIFEST_LIMIT', message: /n has 400/ })
})

test('an agent that listens gets its peers with the manifest; one that boots again is not its own peer', async (t) => {
  const place = await site(t)
  await publish(place, 'one')
  const met = (peers: BencodeDict[]) => peers.map((answer) => (answer.get('peers') as Uint8Array).length / 6)
  assert.deepEqual(met(place.ask('a', firstBoot, '10.0.0.2', 'a').peers), [0])
  assert.deepEqual(met(place.ask('b', firstBoot, '10.0.0.3', 'b').peers), [1])
  assert.equal(place.tracker.stats().peers, 2)
  // The agent draws its peer id and port anew: the old entry would be a second node, which nobody reaches.
  assert.deepEqual(met(place.ask('a', nextBoot, '10.0.0.2', 'c').peers), [1])
  assert.equal(place.tracker.stats().peers, 2)
})

test('who asks for a manifest in the name of another node does not take it out of the swarm', async (t) => {
  const place = await site(t)
  await publish(place, 'one')
  place.ask('a', firstBoot, '10.0.0.2', 'a')
  place.ask('b', firstBoot, '10.0.0.3', 'b')
  place.ask('a', nextBoot, '10.0.0.9', 'x')
  assert.equal(place.tracker.stats().peers, 3)
})

test('files are found by digest and name, and tell which of them may go over plain HTTP', async (t) => {
  const place = await site(t)
  place.bench.put('boot/vmlinuz', 'kernel')
  await publish(place, 'one')
  await until('the kernel', () => place.answers.bootFile('vmlinuz') !== undefined)
  const root = place.catalog.live.current?.artifacts[0]
  const file = place.answers.artifact(root?.sha256 ?? '', 'base.tar.gz')
  assert.equal(file?.isBoot, false)
  assert.equal(file?.sizeBytes, readFileSync(file?.path ?? '').length)
  assert.equal(place.answers.artifact(root?.sha256 ?? '', 'other'), undefined)
  assert.equal(place.answers.bootFile('vmlinuz')?.isBoot, true)
  assert.equal(place.answers.bootFile('base.tar.gz'), undefined)
  assert.equal(place.answers.torrent('00'.repeat(20), '10.0.0.1'), undefined)
})

test('what a node reports is taken in before it is told about its seeding', async (t) => {
  const place = await site(t)
  const data = { agent: '0.1.0', mem_total_bytes: 1 }
  const event = { boot: firstBoot, seq: 0, t_ms: 1, type: 'boot.started', data } as const
  const told = (node: string, address: string, ...events: AgentEvent[]) =>
    place.answers.eventsReceived(node, address, events)
  assert.deepEqual(await told('a', '10.0.0.2', event), { seedS: 60, wake: [] })
  assert.deepEqual(await told('b', '10.0.0.3', event), { seedS: undefined, wake: [] })
  assert.deepEqual(
    place.registry.list().map(({ id, boot }) => [id, boot]),
    [
      ['a', firstBoot],
      ['b', firstBoot],
    ],
  )
})

test('an agent that says that it wakes machines is told which', async (t) => {
  const place = await site(t)
  const data = { version: 1, held_bytes: 1, uploaded_bytes: 0, mem_available_bytes: 1 }
  const wakeOf = async (node: string, more: object) => {
    const event = { boot: firstBoot, seq: 0, t_ms: 1, type: 'seeding', data: { ...data, ...more } } as const
    return place.answers.eventsReceived(node, '10.0.0.2', [event])
  }
  // There may be more of them: it reports again soon.
  assert.deepEqual(await wakeOf('a', { wakes: true }), { seedS: 5, wake: ['52:54:00:00:00:01'] })
  for (const more of [{}, { wakes: false }, { wakes: 1 }])
    assert.deepEqual(await wakeOf('a', more), { seedS: 60, wake: [] })
  // One that does not seed is told nothing.
  assert.deepEqual(await wakeOf('b', { wakes: true }), { seedS: undefined, wake: [] })
})

test('a machine is in the groups of what it is from the boot on that follows its first report', async (t) => {
  const yaml = `
profiles: {gpu: {settings: {GPU: 'yes'}}}
groups: [{name: gpus, match: {pci: '10de:*', dmi: {product: 'Box*'}}, profile: gpu, hostname: 'box-{serial}'}]
`
  const place = await site(t, undefined, yaml)
  await publish(place, 'one')
  const given = (boot: string) => {
    const { hostname, settings } = place.ask('a', boot, '10.0.0.2').manifest.node
    return [hostname, settings.GPU]
  }
  assert.deepEqual(given(firstBoot), ['a', undefined])
  const inventory = {
    ...{ product: 'Box 9', serial: 'S 1', nics: [], disks: [] },
    pci: [{ class: '0300', id: '10de:2684', count: 8 }],
  }
  const event = { boot: firstBoot, seq: 0, t_ms: 1, type: 'machine.inventory', data: inventory } as const
  await place.answers.eventsReceived('a', '10.0.0.2', [event])
  assert.deepEqual(given(nextBoot), ['box-s-1', 'yes'])
})
