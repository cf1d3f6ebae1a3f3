import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeBencode } from '../../../src/bencode.js'
import { until } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { ask } from '../http/support.js'
import { Site } from './support.js'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function site(t: TestContext, extra = ''): Site {
  const made = new Site(extra)
  t.after(() => made.end())
  return made
}

test('from an empty directory to a manifest, its artifacts and its torrent; SIGTERM ends it with 0', async (t) => {
  const place = site(t, 'site: lab\nsettings: {WALLET: abc}\nracks: [{name: r1, nodes: "node[1-3]"}]')
  const server = place.start()
  await server.line('server.ready')
  const early = await server.https('/v1/manifest?node=node1&nonce=00112233445566778899aabbccddeeff')
  assert.equal(early.status, 503)
  assert.match(early.body.toString(), /CATALOG_EMPTY/)
  await server.line('catalog.problem')
  const root = await tarball('etc/hostname', 'one')
  writeFileSync(place.artifact('rootfs/base.tar.gz'), root)
  writeFileSync(place.artifact('boot/vmlinuz'), 'kernel')
  await server.line('catalog.published')
  const manifest = await server.manifest('node1')
  assert.equal(manifest.version, 1)
  assert.equal(manifest.site, 'lab')
  assert.deepEqual(manifest.node, { hostname: 'node1', id: 'node1', rack: 'r1', settings: { WALLET: 'abc' } })
  const { http, https, seeder, dht, operators } = server.ports()
  assert.deepEqual(manifest.seeders, [`127.0.0.1:${seeder}`])
  assert.deepEqual(manifest.dht, [`127.0.0.1:${dht}`])
  assert.deepEqual(manifest.trackers, [`http://127.0.0.1:${http}/announce`])
  assert.equal(manifest.events_url, `https://127.0.0.1:${https}/v1/nodes/node1/events`)
  const artifact = manifest.artifacts[0]
  assert.ok(artifact)
  assert.equal(artifact.sha256, sha256(root))
  const origin = new URL(artifact.origins[0] ?? '')
  assert.equal(Number(origin.port), https)
  const file = await server.https(origin.pathname)
  assert.ok(file.body.equals(root))
  assert.equal((await ask(http, '/boot/vmlinuz')).body.toString(), 'kernel')
  const torrent = decodeBencode((await ask(http, `/v1/torrents/${artifact.infohash}.torrent`)).body)
  assert.ok(torrent instanceof Map)
  assert.equal(Buffer.from(torrent.get('announce') as Uint8Array).toString(), manifest.trackers[0])
  const status = JSON.parse((await server.https('/v1/status')).body.toString())
  assert.equal(status.version, 1)
  assert.equal(status.nodes.manifest, 1)
  assert.equal(status.origin.https_bytes, root.length)
  assert.deepEqual(status.ports, { http, https, seeder, dht, operators })
  assert.equal(await server.kill('SIGTERM'), 0)
  assert.ok(!existsSync(join(place.data, 'run', 'ports.json')))
})

test('a second start serves at once and reads nothing again', async (t) => {
  const place = site(t)
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  const first = place.start()
  await first.line('catalog.published')
  assert.equal(await first.kill('SIGINT'), 0)
  const second = place.start()
  await second.line('server.ready')
  assert.equal((await second.manifest('a')).version, 1)
  assert.equal(await second.kill('SIGTERM'), 0)
  assert.ok(!second.lines.some(({ event }) => event === 'catalog.ingested' || event === 'catalog.published'))
})

test('a booting node keeps its version, over a new version and over a kill', async (t) => {
  const place = site(t, 'versions: {keep: 0}')
  const boot = '0011223344556677'
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'one'))
  const first = place.start()
  await first.line('catalog.published')
  const begun = await first.manifest('a', boot)
  const from = first.lines.length
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'two'))
  await first.line('catalog.published', from)
  assert.equal((await first.manifest('b')).version, 2)
  const kept = await first.manifest('a', boot)
  assert.equal(kept.version, 1)
  assert.deepEqual(kept.artifacts, begun.artifacts)
  assert.equal((await first.manifest('a', 'ffffffffffffffff')).version, 2)
  assert.equal((await first.manifest('c', boot)).version, 2)
})

test('kill -9 at any moment: the next start repairs what was left', async (t) => {
  const place = site(t)
  const big = await tarball('big', Buffer.alloc(64 << 20, 'bootswarm'))
  writeFileSync(place.artifact('rootfs/base.tar.gz'), big)
  writeFileSync(place.artifact('boot/vmlinuz'), Buffer.alloc(48 << 20, 7))
  for (const delayMs of [0, 150, 300, 450, 600, 900]) {
    const server = place.start()
    const timer = setTimeout(() => server.signal('SIGKILL'), delayMs)
    await server.exited
    clearTimeout(timer)
  }
  // And once in the middle of hashing, for certain: as soon as it has begun.
  const busy = place.start()
  await busy.line('server.ready')
  assert.equal(await busy.kill('SIGKILL'), null)
  writeFileSync(join(place.data, 'store', 'tmp-999-1'), 'half')
  const last = place.start()
  await last.line('server.ready')
  if (JSON.parse((await last.https('/healthz')).body.toString()).version === 0)
    await last.line('catalog.published')
  const manifest = await last.manifest('a')
  assert.equal(manifest.version, 1)
  assert.equal(manifest.artifacts[0]?.sha256, sha256(big))
  assert.ok(!readdirSync(join(place.data, 'store')).some((name) => name.startsWith('tmp-')))
  assert.equal(await last.kill('SIGTERM'), 0)
})

test('a copy that is lost while the server is down is made again', async (t) => {
  const place = site(t)
  const root = await tarball('a', 'a')
  writeFileSync(place.artifact('rootfs/base.tar.gz'), root)
  const first = place.start()
  await first.line('catalog.published')
  await first.kill('SIGKILL')
  rmSync(join(place.data, 'store', sha256(root)))
  const second = place.start()
  await second.line('catalog.ingested')
  await second.line('server.ready')
  await until(
    'a version',
    async () => JSON.parse((await second.https('/healthz')).body.toString()).version > 0 || undefined,
  )
  assert.equal((await second.manifest('a')).version, 1)
  assert.ok(readFileSync(join(place.data, 'store', sha256(root))).equals(root))
})

test('a taken port, a taken data directory and wrong usage end it with a code and what to do', async (t) => {
  const place = site(t)
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '0.0.0.0', resolve))
  t.after(() => taken.close())
  const { port } = taken.address() as { port: number }
  const inUse = place.start('--https-port', String(port))
  assert.equal(await inUse.exited, 1)
  assert.match(inUse.stderr, new RegExp(`ADDRESS_IN_USE: TCP port ${port} on 0\\.0\\.0\\.0 .*https\\.port`))
  const seeder = place.start('--seeder-port', String(port))
  assert.equal(await seeder.exited, 1)
  assert.match(seeder.stderr, /ADDRESS_IN_USE/)

  const running = place.start()
  await running.line('server.ready')
  const second = place.start()
  assert.equal(await second.exited, 1)
  assert.match(second.stderr, /DATA_DIR_LOCKED/)

  for (const args of [['--nonsense'], ['--http-port', 'many'], ['--demo', '0'], ['--once']]) {
    const wrong = place.start(...args)
    assert.equal(await wrong.exited, 2, args.join(' '))
    assert.match(wrong.stderr, /^bootswarm: (USAGE|CONFIG)_INVALID: /, args.join(' '))
  }
  place.configure('sight: wrong')
  const unknown = place.start()
  assert.equal(await unknown.exited, 2)
  assert.match(unknown.stderr, /CONFIG_UNKNOWN_KEY.*sight/)
})

test('what is not published or not booted is in the status, with the reason; SIGHUP reads init= again', async (t) => {
  const place = site(t)
  const root = await tarball('a', 'a')
  writeFileSync(place.artifact('rootfs/base.tar.gz'), root)
  writeFileSync(place.artifact('plugins/p.tar.gz'), root.subarray(0, root.length - 5))
  for (const name of ['vmlinuz-9', 'stage1-9', 'vmlinuz-10', 'stage1-10', 'vmlinuz.old', 'vmlinuz-10.sha256'])
    writeFileSync(place.artifact(`boot/${name}`), name)
  const server = place.start()
  await server.line('catalog.published')
  const status = async () => JSON.parse((await server.https('/v1/status')).body.toString())
  const { passed_over: passedOver, problems } = await status()
  assert.deepEqual(passedOver, [
    { file: 'boot/stage1-9', reason: 'machines get vmlinuz-10 and stage1-10' },
    { file: 'boot/vmlinuz-9', reason: 'machines get vmlinuz-10 and stage1-10' },
    { file: 'boot/vmlinuz-10.sha256', reason: 'by its name it is a checksum' },
    { file: 'boot/vmlinuz.old', reason: 'by its name it is a leftover of an earlier version' },
  ])
  assert.equal(problems.length, 1)
  assert.deepEqual([problems[0].code, problems[0].file], ['ARTIFACT_REFUSED', 'plugins/p.tar.gz'])

  const stage = join(place.dir, 'other')
  mkdirSync(stage)
  writeFileSync(join(stage, 'start'), '#!/bin/sh\n', { mode: 0o755 })
  execFileSync('tar', ['-C', stage, '-cf', place.artifact('rootfs/base-2.tar'), '.'])
  const isRefused = async () => JSON.stringify((await status()).problems).includes('ROOT_NO_INIT')
  await until('it has no init', async () => ((await isRefused()) ? true : undefined))
  place.configure('netboot: {mode: off, kernel_args: init=/start}')
  server.signal('SIGHUP')
  await until('it has the one that is named', async () =>
    (await status()).artifacts[0].name === 'base-2.tar' ? true : undefined,
  )
})

test('--help and --version answer and end', async (t) => {
  const place = site(t)
  const help = place.start('--help')
  assert.equal(await help.exited, 0)
  assert.ok(help.lines.some(({ msg }) => msg.includes('--https-port')))
  assert.ok(help.lines.some(({ msg }) => msg.includes('--demo N')))
  const version = place.start('--version')
  assert.equal(await version.exited, 0)
  assert.match(version.lines[0]?.msg ?? '', /^bootswarm \d+\.\d+\.\d+$/)
})

test('SIGHUP reads racks and settings again; a wrong file changes nothing', async (t) => {
  const place = site(t, 'settings: {A: one}')
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  const server = place.start()
  await server.line('catalog.published')
  await server.line('server.ready')
  assert.deepEqual((await server.manifest('a')).node.settings, { A: 'one' })
  place.configure('settings: {A: two}\nnodes: [{match: a, rack: cellar}]\nversions: {keep: 7}')
  server.signal('SIGHUP')
  const { restart } = (await server.line('server.reloaded')) as unknown as { restart: string[] }
  assert.deepEqual(restart, ['versions.keep'])
  const { node } = await server.manifest('a')
  assert.deepEqual([node.settings, node.rack], [{ A: 'two' }, 'cellar'])
  place.configure('settings: 5')
  server.signal('SIGHUP')
  await server.line('server.reload-failed')
  assert.deepEqual((await server.manifest('a')).node.settings, { A: 'two' })
})

test('SIGHUP changes which racks hang behind others', async (t) => {
  const racks = (behind: string) => {
    const subnets = [1, 2, 3].map((n) => `{name: r${n}, subnets: [127.0.${n}.0/24]${n === 3 ? behind : ''}}`)
    return `racks: [${subnets.join(', ')}]`
  }
  const place = site(t, racks(''))
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  const server = place.start()
  await server.line('catalog.published')
  await server.line('server.ready')
  const { infohash = '' } = (await server.manifest('a')).artifacts[0] ?? {}
  const { http } = server.ports()
  const meets = async (rack: number) => {
    const hash = infohash.replace(/../g, '%$&')
    const path = `/announce?info_hash=${hash}&peer_id=-BW0001-00000000000${rack}&port=700${rack}&uploaded=0&downloaded=0&left=1&compact=1`
    const answer = decodeBencode((await ask(http, path, { localAddress: `127.0.${rack}.1` })).body)
    assert.ok(answer instanceof Map)
    const peers = Buffer.from(answer.get('peers') as Uint8Array)
    return [...peers].filter((_, at) => at % 6 === 2).sort()
  }
  for (const rack of [1, 2, 3]) await meets(rack)
  assert.deepEqual(await meets(3), [1, 2])
  place.configure(racks(', behind: r2'))
  server.signal('SIGHUP')
  const { restart } = (await server.line('server.reloaded')) as unknown as { restart: string[] }
  assert.deepEqual([restart, await meets(3), await meets(2), await meets(1)], [[], [2], [1, 3], [2]])
  place.configure(racks(', behind: r4'))
  server.signal('SIGHUP')
  await server.line('server.reload-failed')
  assert.deepEqual(await meets(3), [2])
})

test('SIGHUP in the middle of the start is obeyed at its end', async (t) => {
  const place = site(t, 'settings: {A: one}')
  const server = place.start()
  // From here on it opens its ports.
  await until('the lock', async () => (existsSync(join(place.data, 'lock')) ? true : undefined))
  server.signal('SIGHUP')
  await server.line('server.reloaded')
})

test('started as root with a user: everything is that user’s, and what it may not read is reported', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('NOT TESTED: needs root')
  const place = site(t, 'user: nobody')
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  writeFileSync(place.artifact('plugins/secret.tar.gz'), await tarball('b', 'b'), { mode: 0o600 })
  const server = place.start()
  await server.line('server.ready')
  const problem = await server.line('catalog.problem')
  assert.equal(problem.code, 'ARTIFACT_UNREADABLE')
  assert.equal(problem.file, 'plugins/secret.tar.gz')
  await server.line('catalog.published')
  const uid = statSync(place.data).uid
  assert.notEqual(uid, 0)
  const uids = /^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))
  assert.deepEqual(uids?.slice(1).map(Number), [uid, uid, uid, uid])
  assert.deepEqual(
    /^Groups:\t(.*?) *$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1],
    String(statSync(place.data).gid),
  )
  for (const name of readdirSync(place.data, { recursive: true })) {
    assert.equal(statSync(join(place.data, String(name))).uid, uid, String(name))
  }
  const manifest = await server.manifest('a')
  assert.deepEqual(
    manifest.artifacts.map(({ name }) => name),
    ['base.tar.gz'],
  )
  assert.equal(await server.kill('SIGTERM'), 0)
})
