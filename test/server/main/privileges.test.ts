import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { tarball } from '../catalog/support.js'
import { ask } from '../http/support.js'
import { assertUnprivileged as assertAllUnprivileged, idOf, needsRoot, user } from './processes.js'
import { type Daemon, mainFile, Site } from './support.js'

const uid = idOf('-u', user)
const gid = idOf('-g', user)

/** A site that another user can reach, also where the checkout or Node lie in a closed place such as /root. */
async function site(t: TestContext, extra = ''): Promise<Site> {
  const made = new Site(extra)
  t.after(() => made.end())
  writeFileSync(made.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  const reaches = spawnSync(process.execPath, ['--check', mainFile], { uid, gid, cwd: '/' }).status === 0
  if (!reaches) {
    const program = join(made.dir, 'program')
    const checkout = join(dirname(mainFile), '../..')
    const folders = ['dist', 'node_modules', 'third_party']
    for (const name of folders) mkdirSync(join(program, name), { recursive: true })
    copyFileSync(join(checkout, 'package.json'), join(program, 'package.json'))
    writeFileSync(join(program, 'node'), '')
    const binds = folders.map((name) => `mount --bind "$0/${name}" "$1/${name}"`)
    const script = `${binds.join(' && ')} && mount --bind "$2" "$1/node" && at=$1 && shift 2 && exec "$at/node" "$at/dist/server/main.js" "$@"`
    made.command = ['unshare', '-m', 'sh', '-c', script, checkout, program, process.execPath]
  }
  return made
}

/** Daemon, seeder and DHT node are the user's. */
function assertUnprivileged(server: Daemon): void {
  assertAllUnprivileged(server.pid, 3)
}

/** All below the data directory is the user's; what is not for publication is for that user alone. */
function assertOwned(data: string): void {
  const names = readdirSync(data, { recursive: true }).map(String)
  assert.ok(
    names.includes('keys/manifest.key') && names.includes('lock') && names.includes('bootswarm.sqlite'),
  )
  for (const name of ['.', ...names]) {
    const { uid: owner, gid: group, mode } = lstatSync(join(data, name))
    assert.deepEqual([owner, group], [uid, gid], name)
    const isPrivate = /^(lock|bootswarm\.sqlite|store\/|keys\/.*\.key)/.test(name)
    if (isPrivate) assert.equal(mode & 0o777, 0o600, name)
  }
  assert.equal(statSync(join(data, 'keys')).mode & 0o777, 0o700)
}

async function ready(server: Daemon): Promise<Daemon> {
  await server.line('server.ready')
  await server.manifest('a').catch(() => server.line('catalog.published'))
  return server
}

test('started as root: all of it is an unprivileged user’s, at every start', needsRoot, async (t) => {
  const place = await site(t)
  const first = await ready(place.start())
  assert.equal((await first.line('server.user')).user, user)
  assertUnprivileged(first)
  assertOwned(place.data)
  assert.equal(statSync(place.data).mode & 0o777, 0o700)
  await first.kill('SIGKILL')

  const second = await ready(place.start())
  assertUnprivileged(second)
  place.configure('settings: {A: two}')
  second.signal('SIGHUP')
  await second.line('server.reloaded')
  assert.deepEqual((await second.manifest('a')).node.settings, { A: 'two' })
  assert.equal(await second.kill('SIGTERM'), 0)
  assert.ok(!existsSync(join(place.data, 'run/ports.json')))

  const third = await ready(place.start())
  assertUnprivileged(third)
  assertOwned(place.data)
  assert.equal(await third.kill('SIGTERM'), 0)
})

test('`user: root` stays root and does not complain', needsRoot, async (t) => {
  const place = await site(t, 'user: root')
  const server = await ready(place.start())
  assert.match(readFileSync(`/proc/${server.pid}/status`, 'utf8'), /^Uid:\t0\t0\t0\t0$/m)
  assert.ok(!server.lines.some(({ event }) => event === 'server.is-root' || event === 'server.user'))
  assert.equal(statSync(place.data).uid, 0)
})

test(
  'data of an earlier run as root is taken over: its own files, and nothing through a link',
  needsRoot,
  async (t) => {
    const place = await site(t)
    const before = await ready(place.start('--user', 'root'))
    const key = (await before.manifest('a')).version
    assert.equal(await before.kill('SIGTERM'), 0)
    // Traps: a link in the place of a file and of a folder, a second name of a file that is not ours, a strange name.
    const outside = join(place.dir, 'outside')
    mkdirSync(outside)
    for (const name of ['target', 'ports.json', 'other'])
      writeFileSync(join(outside, name), 'root’s', { mode: 0o644 })
    rmSync(join(place.data, 'keys/server.pem'))
    symlinkSync(join(outside, 'target'), join(place.data, 'keys/server.pem'))
    rmSync(join(place.data, 'run'), { recursive: true })
    symlinkSync(outside, join(place.data, 'run'))
    linkSync(join(outside, 'other'), join(place.data, 'store', '0'.repeat(64)))
    writeFileSync(join(place.data, 'keys/notes.txt'), 'root’s')
    const server = place.start()
    // The daemon cannot write its ports through the link: it is told, and has not become root's hand.
    assert.equal(await server.exited, 1)
    for (const name of ['target', 'ports.json', 'other'])
      assert.equal(statSync(join(outside, name)).uid, 0, name)
    assert.equal(readFileSync(join(outside, 'target'), 'utf8'), 'root’s')
    assert.equal(statSync(join(place.data, 'keys/notes.txt')).uid, 0)
    assert.equal(statSync(outside).uid, 0)

    const traps = ['run', 'keys/notes.txt', join('store', '0'.repeat(64))]
    // The catalog may have cleared the last away.
    for (const name of traps) rmSync(join(place.data, name), { force: true })
    const next = await ready(place.start())
    assertUnprivileged(next)
    assertOwned(place.data)
    assert.equal((await next.manifest('a')).version, key)
  },
)

test('a directory that holds other things is not given away', needsRoot, async (t) => {
  const place = await site(t)
  mkdirSync(place.data)
  writeFileSync(join(place.data, 'constructor'), '')
  const server = await ready(place.start())
  const line = await server.line('server.is-root')
  assert.equal(line.path, place.data)
  assert.match(line.msg, /holds "constructor"/)
  assert.equal(statSync(place.data).uid, 0)
})

const obstacles: readonly [string, (place: Site) => void, (place: Site) => [string, string]][] = [
  [
    'a closed directory with the configuration in it',
    ({ dir }) => chmodSync(dir, 0o700),
    ({ dir, config }) => [dir, `chmod o+x ${dir}, or move ${config} into a directory below it`],
  ],
  [
    'closed artifacts',
    (place) => chmodSync(place.artifact('plugins'), 0o700),
    (place) => [place.artifact('plugins'), `chmod o+rx ${place.artifact('plugins')}`],
  ],
  [
    'a configuration that only root reads',
    ({ config }) => chmodSync(config, 0o600),
    ({ config }) => [config, `chown ${user} ${config}`],
  ],
  [
    'data of a third user',
    ({ data }) => [mkdirSync(data), chownSync(data, 12_345, 12_345)],
    ({ data }) => [data, `chown -R ${user} ${data}, or name another as data_dir`],
  ],
]

for (const [name, make, expected] of obstacles) {
  test(`${name}: stays root, names the path and the command that mends it`, needsRoot, async (t) => {
    const place = await site(t)
    make(place)
    const server = await ready(place.start())
    const line = await server.line('server.is-root')
    const [path, remedy] = expected(place)
    assert.deepEqual([line.path, line.remedy], [path, remedy])
    assert.ok(line.msg.includes(remedy))
    assert.match(readFileSync(`/proc/${server.pid}/status`, 'utf8'), /^Uid:\t0\t0\t0\t0$/m)
    await server.kill('SIGKILL')
    // The command works.
    execFileSync('sh', ['-c', remedy.replace(/, or .*/, '')])
    assertUnprivileged(await ready(place.start()))
  })
}

test('ports of root are bound before it is given up', needsRoot, async (t) => {
  const http = await freePrivilegedPort()
  const place = await site(t)
  const server = await ready(place.start('--http-port', String(http)))
  assertUnprivileged(server)
  assert.equal(server.ports().http, http)
  assert.equal((await ask(http, '/healthz')).status, 200)
})

test('a seeder on a port of root keeps root, and says so', needsRoot, async (t) => {
  const port = await freePrivilegedPort()
  const place = await site(t)
  const server = await ready(place.start('--seeder-port', String(port)))
  assert.match((await server.line('server.is-root')).msg, /only root may listen on seeder\.port/)
  assert.equal(server.ports().seeder, port)
})

test('a data directory of nobody becomes that of the user who is configured', needsRoot, async (t) => {
  const place = await site(t)
  const before = await ready(place.start('--user', 'nobody'))
  await before.kill('SIGTERM')
  const server = await ready(place.start('--user', 'daemon'))
  assert.equal(await server.kill('SIGTERM'), 0)
  const other = idOf('-u', 'daemon')
  for (const name of ['.', ...readdirSync(place.data, { recursive: true }).map(String)]) {
    assert.equal(lstatSync(join(place.data, name)).uid, other, name)
  }
})

/** A port below 1024 that is free now. */
async function freePrivilegedPort(): Promise<number> {
  for (let port = 600; port < 1024; port += 1) {
    const server = createServer()
    const listens = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '0.0.0.0', () => resolve(true))
    })
    if (!listens) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error('no port below 1024 is free')
}
