import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { Catalog } from '../../../server/catalog/catalog.js'
import { catalogRecords } from '../../../server/catalog/records.js'
import { wantedArtifacts } from '../../../src/artifact-choice.js'
import { parseConfig } from '../../support/config.js'
import { Bench, tarball, until } from './support.js'

const names = (catalog: Catalog) => catalog.live.current?.artifacts.map(({ name }) => name)
const version = (catalog: Catalog) => catalog.live.current?.version ?? 0
const codes = (catalog: Catalog) => catalog.problems.map(({ code }) => code).sort()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function bench(t: TestContext): Promise<Bench> {
  const made = new Bench()
  t.after(() => made.end())
  return made
}

/** Looks often enough that whatever was going to happen has happened. */
async function looks(catalog: Catalog, count = 4): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    catalog.look()
    await new Promise((resolve) => setTimeout(resolve, 120))
  }
}

test('publishes what lies there, then what is added, replaced and removed, each as a whole', async (t) => {
  const site = await bench(t)
  const root = await tarball('etc/hostname', 'one')
  site.put('rootfs/base.tar.gz', root)
  site.put('boot/vmlinuz', 'kernel')
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  assert.deepEqual(names(catalog), ['base.tar.gz', 'vmlinuz'])
  const artifact = catalog.live.current?.artifacts[0]
  assert.equal(artifact?.sha256, sha256(root))
  assert.deepEqual(readFileSync(catalog.storeDir.path(sha256(root))), root)

  site.put('plugins/b.tar.gz', await tarball('b', 'b'))
  await until('version 2', () => version(catalog) === 2)
  assert.deepEqual(names(catalog), ['base.tar.gz', 'b.tar.gz', 'vmlinuz'])

  const replaced = await tarball('b', 'another b')
  site.put('plugins/b.tar.gz', replaced)
  await until('version 3', () => version(catalog) === 3)
  assert.equal(catalog.live.current?.artifacts[1]?.sha256, sha256(replaced))

  rmSync(site.path('plugins/b.tar.gz'))
  await until('version 4', () => version(catalog) === 4)
  assert.deepEqual(names(catalog), ['base.tar.gz', 'vmlinuz'])
  // One old version is kept, and no copies but those of the two.
  await until('old copies are gone', () => readdirSync(catalog.storeDir.dir).length === 3)
  assert.deepEqual(
    catalog.live.all.map((live) => live.version),
    [3, 4],
  )
})

test('the same content again is no new version; a touched file is hashed, and that is all', async (t) => {
  const site = await bench(t)
  const root = await tarball('a', 'a')
  site.put('rootfs/base.tar.gz', root)
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  site.put('rootfs/base.tar.gz', root)
  await until('read again', () => site.lines.filter(({ event }) => event === 'catalog.ingested').length === 2)
  utimesSync(site.path('rootfs/base.tar.gz'), 1000, 1000)
  await until('and again', () => site.lines.filter(({ event }) => event === 'catalog.ingested').length === 3)
  await looks(catalog)
  assert.equal(version(catalog), 1)
})

test('a second start hashes nothing and serves at once', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  site.put('plugins/p.tar.gz', await tarball('p', 'p'))
  const first = await site.start()
  await until('version 1', () => version(first) === 1)
  await first.stop()
  site.lines.length = 0
  const second = await site.start()
  assert.equal(version(second), 1)
  await looks(second)
  assert.equal(version(second), 1)
  assert.deepEqual(second.live.current, first.live.current)
  assert.equal(site.lines.filter(({ event }) => event === 'catalog.ingested').length, 0)
})

/** Overwrites a file in place with as many other bytes, and gives it its old times again. */
function forge(path: string, bytes: Uint8Array): void {
  const { size, atime, mtime } = statSync(path)
  assert.equal(bytes.length, size)
  writeFileSync(path, bytes, { flag: 'r+' })
  utimesSync(path, atime, mtime)
}

test('what is overwritten in place with equal size and time is noticed, also after a restart', async (t) => {
  const site = await bench(t)
  // Whole milliseconds: utimes() does not set the rest exactly.
  const [one, two, three] = [kernel('one'), kernel('two'), kernel('six')]
  site.put('boot/vmlinuz', one)
  utimesSync(site.path('boot/vmlinuz'), 1000, 1000)
  const first = await site.start()
  const holds = (catalog: Catalog, bytes: Buffer) =>
    catalog.live.current?.artifacts[0]?.sha256 === sha256(bytes)
  await until('published', () => holds(first, one))
  forge(site.path('boot/vmlinuz'), two)
  await until('noticed while it runs', () => holds(first, two))
  await first.stop()
  forge(site.path('boot/vmlinuz'), three)
  const second = await site.start()
  assert.ok(holds(second, two))
  await until('noticed after a restart', () => holds(second, three))
})

const kernel = (text: string) => Buffer.alloc(5000, text)

test('a growing file holds back and is published once it rests', async (t) => {
  const site = await bench(t)
  const root = await tarball('a', randomBytes(300_000))
  site.put('plugins/p.tar.gz', await tarball('p', 'p'))
  const path = site.path('rootfs/base.tar.gz')
  writeFileSync(path, root.subarray(0, 1000))
  // Its clock stands still while the file grows: no pause between two writes, however long here, is taken for the end.
  let isGrowing = true
  const beganMs = Date.now()
  const catalog = await site.start({
    settleTimes: { quietMs: 250, oldMs: 1e9, growingMs: 60_000 },
    nowMs: () => (isGrowing ? beganMs : Date.now()),
  })
  for (let at = 1000; at < root.length; at += 40_000) {
    appendFileSync(path, root.subarray(at, at + 40_000))
    catalog.look()
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(version(catalog), 0)
  }
  isGrowing = false
  await until('published whole', () => version(catalog) === 1)
  assert.equal(catalog.live.current?.artifacts[0]?.sha256, sha256(root))
})

test('a file that grows for ever is reported, and the rest is published without it', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  const path = site.path('plugins/endless.tar.gz')
  writeFileSync(path, 'x')
  const timer = setInterval(() => appendFileSync(path, 'x'), 10)
  t.after(() => clearInterval(timer))
  const catalog = await site.start()
  await until('reported', () => codes(catalog).includes('ARTIFACT_GROWING'))
  await until('published', () => version(catalog) === 1)
  assert.deepEqual(names(catalog), ['base.tar.gz'])
  clearInterval(timer)
  writeFileSync(path, await tarball('p', 'p'))
  await until('taken in after all', () => names(catalog)?.length === 2)
  assert.deepEqual(codes(catalog), [])
})

test('everything that is no proper file is reported by its code, the rest is published', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  writeFileSync(site.path('plugins/empty.tar.gz'), '')
  mkdirSync(site.path('plugins/directory.tar.gz'))
  execFileSync('mkfifo', [site.path('plugins/pipe.tar.gz')])
  symlinkSync('loop', site.path('plugins/loop'))
  symlinkSync('/nowhere/at/all', site.path('plugins/dangling'))
  writeFileSync(site.path('plugins/bad\nname'), 'x')
  writeFileSync(site.path('plugins/no-archive.bin'), randomBytes(10_000))
  writeFileSync(site.path('plugins/.hidden'), 'x')
  writeFileSync(site.path('plugins/editor~'), 'x')
  const socket = createServer()
  await new Promise<void>((resolve) => socket.listen(site.path('plugins/socket'), resolve))
  t.after(() => socket.close())
  const catalog = await site.start()
  await until('published', () => version(catalog) === 1)
  assert.deepEqual(names(catalog), ['base.tar.gz'])
  const found = Object.fromEntries(catalog.problems.map(({ code, name }) => [name, code]))
  assert.deepEqual(found, {
    'empty.tar.gz': 'ARTIFACT_EMPTY',
    'directory.tar.gz': 'ARTIFACT_NOT_A_FILE',
    'pipe.tar.gz': 'ARTIFACT_NOT_A_FILE',
    socket: 'ARTIFACT_NOT_A_FILE',
    loop: 'ARTIFACT_NOT_A_FILE',
    dangling: 'ARTIFACT_NOT_A_FILE',
    'bad\nname': 'ARTIFACT_NAME_INVALID',
    'no-archive.bin': 'ARTIFACT_FORMAT_INVALID',
  })
  await looks(catalog)
  // Each is said once, not at every look, and in one line.
  const warnings = site.lines.filter(({ event }) => event === 'catalog.problem')
  assert.equal(warnings.length, 8)
  assert.ok(warnings.every(({ msg }) => !msg.includes('\n')))
})

test('a file that is overwritten by an empty one keeps its last good content until it is mended', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  truncateSync(site.path('rootfs/base.tar.gz'), 0)
  await until('reported', () => codes(catalog).includes('ARTIFACT_EMPTY'))
  await looks(catalog)
  assert.equal(version(catalog), 1)
  site.put('rootfs/base.tar.gz', await tarball('a', 'b'))
  await until('version 2', () => version(catalog) === 2)
  assert.deepEqual(codes(catalog), [])
})

test('files that come and go at every moment neither stop the catalog nor get in half', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  const catalog = await site.start({
    settleTimes: { quietMs: 5, oldMs: 1e9, growingMs: 60_000 },
    idleLookMs: 5,
  })
  const contents = await Promise.all([1, 2, 3].map((n) => tarball('p', randomBytes(n * 200_000))))
  for (let n = 0; n < 60; n += 1) {
    const path = `plugins/p${n % 4}.tar.gz`
    const bytes = contents[n % 3] ?? Buffer.of()
    if (n % 5 === 4) rmSync(site.path(path), { force: true })
    else if (n % 5 === 3) writeFileSync(site.path(path), bytes.subarray(0, 1000))
    else site.put(path, bytes)
    catalog.look()
    await new Promise((resolve) => setTimeout(resolve, n % 17))
  }
  for (let n = 0; n < 4; n += 1) site.put(`plugins/p${n}.tar.gz`, contents[n % 3] ?? '')
  await until('all are in', () => {
    const plugins = catalog.live.current?.artifacts.slice(1) ?? []
    return (
      plugins.length === 4 &&
      plugins.every((plugin, n) => plugin.sha256 === sha256(contents[n % 3] ?? Buffer.of()))
    )
  })
  for (const artifact of catalog.live.current?.artifacts ?? []) {
    assert.equal(sha256(readFileSync(catalog.storeDir.path(artifact.sha256))), artifact.sha256)
  }
})

test('a directory of artifacts that vanishes and comes back is noticed', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  site.put('plugins/p.tar.gz', await tarball('p', 'p'))
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  renameSync(site.path('plugins'), site.path('away'))
  await until('without plugins', () => names(catalog)?.length === 1)
  renameSync(site.path('away'), site.path('plugins'))
  await until('with plugins', () => names(catalog)?.length === 2)
})

test('the last of several root file systems by name is used; none at all is CATALOG_EMPTY', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base-1.tar.gz', await tarball('a', '1'))
  site.put('rootfs/base-2.tar.gz', await tarball('a', '2'))
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  assert.deepEqual(names(catalog), ['base-2.tar.gz'])
  assert.deepEqual(codes(catalog), ['ROOTFS_SURPLUS'])
  rmSync(site.path('rootfs/base-2.tar.gz'))
  await until('the other', () => names(catalog)?.[0] === 'base-1.tar.gz')
  rmSync(site.path('rootfs/base-1.tar.gz'))
  await until('none', () => names(catalog)?.length === 0)
  assert.deepEqual(codes(catalog), ['CATALOG_EMPTY'])
})

test('versions in the names of root file systems are compared as versions', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base-9.tar.gz', await tarball('a', '9'))
  site.put('rootfs/base-10.tar.gz', await tarball('a', '10'))
  site.put('rootfs/base-10-rc1.tar.gz', await tarball('a', '10 rc 1'))
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  assert.deepEqual(names(catalog), ['base-10.tar.gz'])
  rmSync(site.path('rootfs/base-10.tar.gz'))
  await until('the candidate', () => names(catalog)?.[0] === 'base-10-rc1.tar.gz')
})

test('companions and leftovers are passed over in all three directories, and that is said once', async (t) => {
  const site = await bench(t)
  const root = await tarball('a', 'a')
  site.put('rootfs/base.tar.gz', root)
  site.put('boot/vmlinuz', 'kernel')
  const catalog = await site.start()
  await until('version 1', () => version(catalog) === 1)
  const others = [
    'rootfs/base.tar.gz.sha256',
    'rootfs/base.tar.gz.sig',
    'rootfs/base.tar.gz.old',
    'plugins/x.tar.gz.asc',
    'plugins/x.tar.gz.bak',
    'boot/vmlinuz.old',
    'boot/vmlinuz.sha256',
    'boot/initrd.img.old',
  ]
  for (const path of others) writeFileSync(site.path(path), root)
  await until('all are passed over', () => catalog.passedOver.length === others.length)
  await looks(catalog)
  assert.equal(version(catalog), 1)
  assert.deepEqual(codes(catalog), [])
  const said = site.lines.filter(({ event }) => event === 'catalog.passed-over')
  assert.deepEqual(said.map(({ file }) => file).sort(), [...others].sort())
  assert.ok(said.every(({ level }) => level === 'info'))
})

test('what cannot be a root is none: the last good one stays, also after a restart, and the reason is said', async (t) => {
  const site = await bench(t)
  const root = await tarball('a', 'a')
  site.put('rootfs/base-1.tar.gz', root)
  const first = await site.start()
  await until('version 1', () => version(first) === 1)
  const bad: Readonly<Record<string, Buffer>> = {
    'rootfs/base-2.tar.bz2': execFileSync('bzip2', ['-c'], { input: gunzipSync(root) }),
    'rootfs/base-3.tar.xz': Buffer.from('<html>404</html>'.repeat(100)),
    'rootfs/base-4.img': randomBytes(10_000),
    'rootfs/base-5.squashfs': Buffer.concat([Buffer.from('hsqs'), Buffer.alloc(300, 0xff)]),
    'rootfs/base-6.xz': execFileSync('xz', ['-c'], { input: gunzipSync(root) }),
  }
  for (const [path, bytes] of Object.entries(bad)) site.put(path, bytes)
  const refused = (catalog: Catalog) =>
    catalog.problems.filter(({ code }) => code === 'ARTIFACT_FORMAT_INVALID').length
  await until('all are refused', () => refused(first) === 5)
  assert.equal(version(first), 1)
  const said = site.lines.filter(({ code }) => code === 'ARTIFACT_FORMAT_INVALID').map(({ msg }) => msg)
  assert.match(said.join('\n'), /^rootfs\/base-2\.tar\.bz2: it is compressed with bzip2, .*pack it again/m)
  assert.match(said.join('\n'), /^rootfs\/base-6\.xz: its name does not say what is inside/m)

  // The file itself is overwritten by nonsense, and the server is started anew.
  site.put('rootfs/base-1.tar.gz', randomBytes(5000))
  await until('refused, too', () => refused(first) === 6)
  assert.equal(version(first), 1)
  await first.stop()
  const second = await site.start()
  await until('refused again', () => refused(second) === 6)
  await looks(second)
  assert.equal(version(second), 1)
  assert.equal(second.live.current?.artifacts[0]?.sha256, sha256(root))
})

test('what an earlier server published as a root and is none goes', async (t) => {
  const site = await bench(t)
  const bytes = randomBytes(5000)
  site.put('rootfs/base.tar.bz2', bytes)
  const artifact = { name: 'base.tar.bz2', kind: 'rootfs', format: 'raw', sizeBytes: 5000 } as const
  const torrent = { infohash: 'a'.repeat(40), pieceLengthBytes: 16384, piecesBase64: 'AAAA' }
  mkdirSync(join(site.data, 'store'))
  writeFileSync(join(site.data, 'store', sha256(bytes)), bytes)
  const records = catalogRecords(site.store)
  records.publishVersion([{ ...artifact, sha256: sha256(bytes), modifiedS: 0, torrent }], Date.now())
  const catalog = await site.start()
  await until('refused', () => codes(catalog).includes('ARTIFACT_FORMAT_INVALID'))
  await until('not published any more', () => names(catalog)?.length === 0)
})

test('an archive of pzstd, which begins with a skippable frame, is taken as plugin and as root', async (t) => {
  const site = await bench(t)
  const tar = join(site.dir, 'a.tar')
  writeFileSync(tar, gunzipSync(await tarball('a', randomBytes(100_000))))
  execFileSync('pzstd', ['-q', '-p', '2', tar, '-o', `${tar}.zst`])
  const packed = readFileSync(`${tar}.zst`)
  assert.notDeepEqual(packed.subarray(0, 4), Buffer.from('28b52ffd', 'hex'))
  site.put('rootfs/base.tar.zst', packed)
  site.put('plugins/p.tar.zst', packed)
  const catalog = await site.start()
  await until('published', () => version(catalog) === 1)
  assert.deepEqual(
    catalog.live.current?.artifacts.map(({ format }) => format),
    ['tar', 'tar'],
  )
})

test('CATALOG_EMPTY stands until there is a root file system, whatever else is copied meanwhile', async (t) => {
  const site = await bench(t)
  const catalog = await site.start()
  await until('empty', () => codes(catalog).includes('CATALOG_EMPTY'))
  // As `image stage1` and `image rootfs` do: kernel, stage 1, then a root that is written for a while under another name.
  for (const [index, path] of ['boot/vmlinuz', 'boot/stage1', 'plugins/p.tar.gz'].entries()) {
    site.put(path, path.startsWith('boot') ? path : await tarball('p', 'p'))
    await until(`published ${path}`, () => version(catalog) === index + 1)
    assert.deepEqual(codes(catalog), ['CATALOG_EMPTY'])
  }
  writeFileSync(site.path('rootfs/.base.tar.gz.1.part'), 'half')
  await looks(catalog)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  await until('not empty any more', () => codes(catalog).length === 0)
  const about = site.lines.filter(({ code }) => code === 'CATALOG_EMPTY').map(({ event }) => event)
  assert.deepEqual(about, ['catalog.problem', 'catalog.problem-over'])
})

test('an old version is served until its last booting node is done', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', '1'))
  const catalog = await site.start({ versionsKeep: 0 })
  await until('version 1', () => version(catalog) === 1)
  const old = catalog.live.current?.artifacts[0]?.sha256 ?? ''
  site.booting.add(1)
  site.put('rootfs/base.tar.gz', await tarball('a', '2'))
  await until('version 2', () => version(catalog) === 2)
  await looks(catalog)
  assert.ok(catalog.live.get(1))
  assert.ok(existsSync(catalog.storeDir.path(old)))
  assert.equal(catalog.live.find(old, 'base.tar.gz')?.sha256, old)
  site.booting.clear()
  await until('gone', () => catalog.live.get(1) === undefined)
  await until('its copy too', () => !existsSync(catalog.storeDir.path(old)))
})

test('a lost or shortened copy is made again, under the same version', async (t) => {
  const site = await bench(t)
  site.put('rootfs/base.tar.gz', await tarball('a', 'a'))
  site.put('plugins/p.tar.gz', await tarball('p', 'p'))
  const first = await site.start()
  await until('version 1', () => version(first) === 1)
  const [root, plugin] = first.live.current?.artifacts ?? []
  await first.stop()
  rmSync(first.storeDir.path(root?.sha256 ?? ''))
  truncateSync(first.storeDir.path(plugin?.sha256 ?? ''), 5)
  writeFileSync(join(first.storeDir.dir, 'tmp-1-1'), 'left by a kill')
  const second = await site.start()
  assert.equal(version(second), 0)
  await until('served again', () => version(second) === 1)
  assert.deepEqual(readdirSync(second.storeDir.dir).sort(), [root?.sha256, plugin?.sha256].sort())
  assert.equal(sha256(readFileSync(second.storeDir.path(root?.sha256 ?? ''))), root?.sha256)
  assert.equal(catalogRecords(site.store).loadVersions().length, 1)
})

test('what profiles name is published beside the root for every node, and follows the configuration', async (t) => {
  const site = await bench(t)
  for (const name of ['base-1', 'base-2', 'gpu-1']) {
    site.put(`rootfs/${name}.tar.gz`, await tarball('name', name))
  }
  let yaml = 'profiles: {gpu: {rootfs: gpu-*}}'
  const wanted = () => wantedArtifacts(parseConfig({ text: yaml, name: 'f' }))
  const catalog = await site.start({ wanted })
  await until('both', () => names(catalog)?.join() === 'base-2.tar.gz,gpu-1.tar.gz')
  assert.deepEqual(codes(catalog), ['ROOTFS_SURPLUS'])
  // A broken newer one leaves the one that is there in use.
  site.put('rootfs/gpu-2.tar.gz', 'no archive')
  await until('it is refused', () => codes(catalog).includes('ARTIFACT_FORMAT_INVALID'))
  await looks(catalog)
  assert.deepEqual(names(catalog), ['base-2.tar.gz', 'gpu-1.tar.gz'])
  rmSync(site.path('rootfs/gpu-2.tar.gz'))
  yaml = 'profiles: {try: {rootfs: base-2*}}'
  catalog.look()
  await until('the next version', () => names(catalog)?.join() === 'gpu-1.tar.gz,base-2.tar.gz')
  yaml = 'profiles: {default: {rootfs: base-1.tar.gz}, x: {rootfs: missing}}'
  catalog.look()
  await until('one alone', () => names(catalog)?.join() === 'base-1.tar.gz')
  await until('what is missing', () => codes(catalog).includes('PROFILE_ARTIFACT_MISSING'))
})

test('a configuration that changes in the middle of a look is for the next one', async (t) => {
  const site = await bench(t)
  for (const name of ['base-1', 'base-2', 'gpu-1']) {
    site.put(`rootfs/${name}.tar.gz`, await tarball('name', name))
  }
  // By turns, as if it changed all the time: with the second `base-1` is for every node, which the first leaves unread.
  let asked = 0
  const texts = ['profiles: {a: {rootfs: gpu-*}}', 'profiles: {a: {rootfs: gpu-*}, b: {rootfs: base-2*}}']
  const wanted = () => wantedArtifacts(parseConfig({ text: texts[asked++ % 2] ?? '', name: 'f' }))
  const catalog = await site.start({ wanted })
  const first = new Set<string | undefined>()
  catalog.onChange((live) => first.add(live.current?.artifacts[0]?.name))
  const isMixed = () => first.has('gpu-1.tar.gz')
  await until('all', () => isMixed() || names(catalog)?.length === 3)
  assert.ok(!isMixed(), 'the root of one profile was given to every node')
  assert.deepEqual([...first].sort(), ['base-1.tar.gz', 'base-2.tar.gz'])
})
