import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { untilEqual } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { ask } from '../http/support.js'
import { assertUnprivileged, idOf, isAlive, needsRoot, signalEach, user } from './processes.js'
import { type Daemon, mainFile, Site } from './support.js'

/** A site in a clone of its own below two closed directories, each of which holds something else too. */
async function closedSite(t: TestContext, below = 'closed/private/clone', extra = ''): Promise<Site> {
  const site = new Site(extra, below)
  t.after(() => site.end())
  const checkout = join(dirname(mainFile), '../..')
  cpSync(join(checkout, 'dist'), join(site.dir, 'dist'), {
    recursive: true,
    filter: (path) => path !== join(checkout, 'dist/agent'),
  })
  copyFileSync(join(checkout, 'package.json'), join(site.dir, 'package.json'))
  symlinkSync(realpathSync(join(checkout, 'node_modules')), join(site.dir, 'node_modules'))
  site.command = [process.execPath, join(site.dir, 'dist/server/main.js')]
  for (let at = dirname(site.dir); at !== site.top; at = dirname(at)) {
    writeFileSync(join(at, 'secret'), '')
    chmodSync(at, 0o700)
  }
  writeFileSync(site.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  return site
}

async function ready(server: Daemon): Promise<Daemon> {
  await server.line('server.ready')
  await server.manifest('a').catch(() => server.line('catalog.published'))
  return server
}

/** All of it belongs to the user: the process that was started, the daemon in the mount namespace, seeder, DHT node. */
const unprivileged = (server: Daemon, name = user) => assertUnprivileged(server.pid, 4, name)

async function gone(pids: readonly number[]): Promise<void> {
  await untilEqual('the processes to end', () => pids.filter(isAlive), [])
}

test(
  'below closed directories the server is an unprivileged user’s, and sees of them only its own',
  needsRoot,
  async (t) => {
    const site = await closedSite(t)
    const above = join(site.top, 'closed')
    // As nvm has it.
    const node = join(above, '.nvm/versions/node/v20/bin/node')
    mkdirSync(dirname(node), { recursive: true })
    execFileSync('cp', ['--reflink=auto', process.execPath, node])
    site.command = [node, ...site.command.slice(1)]

    const first = await ready(site.start())
    const pids = unprivileged(first)
    const line = await first.line('server.user')
    assert.equal(line.user, user)
    assert.ok(line.covered?.includes(above))
    assert.ok(!first.lines.some(({ event }) => event === 'server.is-root'))
    assert.equal((await ask(first.ports().http, '/healthz')).status, 200)

    // What the daemon has under these names, and what everybody else has.
    const inNamespace = (path: string) => readdirSync(`/proc/${first.ports().pid}/root${path}`).sort()
    assert.deepEqual(inNamespace(above), ['.nvm', 'private'])
    assert.deepEqual(inNamespace(join(above, 'private')), [basename(site.dir)])
    assert.deepEqual(inNamespace(dirname(node)), ['node'])
    assert.ok(readdirSync(above).includes('secret'))
    assert.equal(statSync(above).mode & 0o777, 0o700)
    const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8')
    assert.ok(!mounts().includes(site.top))

    // Seen from outside: a new file is published, a new configuration in the old one's place is read.
    const seen = first.lines.length
    writeFileSync(site.artifact('plugins/b.tar.gz'), await tarball('b', 'b'))
    await first.line('catalog.published', seen)
    const before = readFileSync(site.config, 'utf8')
    writeFileSync(`${site.config}.new`, `${before}\nsettings: {A: two}\n`)
    renameSync(`${site.config}.new`, site.config)
    first.signal('SIGHUP')
    await first.line('server.reloaded')
    const { node: told, artifacts } = await first.manifest('a')
    assert.deepEqual([told.settings, artifacts.length], [{ A: 'two' }, 2])

    await first.kill('SIGKILL')
    await gone(pids)

    const second = await ready(site.start())
    const others = unprivileged(second)
    assert.deepEqual((await second.manifest('a')).node.settings, { A: 'two' })
    assert.equal(statSync(site.data).uid, idOf('-u', user))
    assert.equal(await second.kill('SIGTERM'), 0)
    await gone(others)
  },
)

test('a signal that every process of a service gets is one signal', needsRoot, async (t) => {
  const site = await closedSite(t)
  const server = await ready(site.start())
  const pids = unprivileged(server)
  signalEach(pids, 'SIGTERM')
  assert.equal(await server.exited, 0)
  await gone(pids)
})

test(
  'a server that is killed in its namespace ends the process outside in the same way',
  needsRoot,
  async (t) => {
    const site = await closedSite(t)
    const server = await ready(site.start())
    const pids = unprivileged(server)
    process.kill(server.ports().pid, 'SIGKILL')
    assert.equal(await server.exited, null)
    assert.equal(server.endedBy, 'SIGKILL')
    await gone(pids)
  },
)

test('a configured user gets a mount namespace too, and links lead where they did', needsRoot, async (t) => {
  const site = await closedSite(t, 'closed/releases/1', 'user: daemon')
  const current = join(site.top, 'closed/current')
  symlinkSync('releases/1', current)
  const server = await ready(
    site.start('--config', join(current, 'site.yaml'), '--artifacts-dir', join(current, 'artifacts')),
  )
  unprivileged(server, 'daemon')
  server.signal('SIGHUP')
  await server.line('server.reloaded')
  assert.equal(await server.kill('SIGINT'), 0)
})

test('a clone that only root reads is named with the command that opens it', needsRoot, async (t) => {
  const site = await closedSite(t)
  execFileSync('chmod', ['-R', 'go-rwx', site.dir])
  for (const path of [site.config, join(site.dir, 'artifacts')]) execFileSync('chmod', ['-R', 'o+rX', path])
  const server = await ready(site.start())
  const { path, remedy = '' } = await server.line('server.is-root')
  assert.equal(path, site.dir)
  assert.ok(remedy.startsWith(`chmod o+x ${site.dir} && chmod -R o+rX ${site.dir}/dist `), remedy)
  assert.equal(await server.kill('SIGTERM'), 0)
  execFileSync('sh', ['-c', remedy])
  unprivileged(await ready(site.start()))
})

const withoutNamespace: readonly [string, readonly string[], RegExp][] = [
  ['may not mount', ['setpriv', '--bounding-set', '-sys_admin'], /unshare failed: Operation not permitted/],
  ['has no unshare', ['env', 'PATH=/nowhere'], /there is no unshare/],
]
for (const [name, command, reason] of withoutNamespace) {
  test(`a root that ${name} stays root and says why`, needsRoot, async (t) => {
    const site = await closedSite(t)
    site.command = [...command, ...site.command]
    const server = await ready(site.start())
    const line = await server.line('server.is-root')
    assert.equal(line.path, join(site.top, 'closed'))
    assert.match(line.msg, reason)
    assert.match(readFileSync(`/proc/${server.pid}/status`, 'utf8'), /^Uid:\t0\t0\t0\t0$/m)
    assert.equal(await server.kill('SIGTERM'), 0)
  })
}
