/** The daemon when the system has no descriptors, no memory or no room on the disk for it: it stays, says so, and works on afterwards. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { ask } from '../http/support.js'
import { limitProcess, needsRoot } from './processes.js'
import { type Daemon, Site } from './support.js'

async function start(t: TestContext, files?: number): Promise<{ site: Site; daemon: Daemon }> {
  const site = new Site()
  t.after(() => site.end())
  if (files !== undefined) site.command = ['prlimit', `--nofile=${files}:${files}`, '--', ...site.command]
  writeFileSync(site.artifact('boot/vmlinuz'), randomBytes(16 << 20))
  writeFileSync(site.artifact('rootfs/base.tar.gz'), await tarball('base', 'x'))
  const daemon = site.start()
  await daemon.line('server.ready')
  await daemon.line('catalog.published')
  return { site, daemon }
}

/** Ends its child processes: the seeder and the DHT node. */
function killChildren({ pid }: Daemon): void {
  const pids = execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
  for (const child of pids) process.kill(Number(child), 'SIGKILL')
}

const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length

async function status(daemon: Daemon) {
  const answer = await daemon.https('/v1/status')
  return JSON.parse(answer.body.toString()) as {
    version: number
    problems: { code: string; file: string }[]
    failing: { part: string; code: string }[]
    connections: { open: number; max: number; refused: number }
    origin: { seeder_running: boolean; seeder_restarts: number }
  }
}

test('without a free descriptor every part waits and works again afterwards', async (t) => {
  const { site, daemon } = await start(t)
  const [files] = /^Max open files +\S+/m.exec(readFileSync(`/proc/${daemon.pid}/limits`, 'utf8')) ?? []
  limitProcess(daemon.pid, '--nofile=3:')
  // Each needs a descriptor: addresses, catalog, the process of the seeder or of the DHT node.
  writeFileSync(site.artifact('plugins/more.tar.gz'), await tarball('more', 'x'))
  killChildren(daemon)
  const failing = new Set<unknown>()
  await until('addresses and catalog fail', async () => {
    for (const line of daemon.lines) if (line.event === 'part.failed') failing.add(line.failing)
    return failing.size >= 2 ? true : undefined
  })
  await until('a child cannot be started', async () =>
    daemon.lines.find(
      (line) => /\.exited$/.test(line.event ?? '') && /EMFILE/.test(JSON.stringify(line.error)),
    ),
  )
  limitProcess(daemon.pid, `--nofile=${files?.split(/ +/).at(-1)}:`)
  await until('all work again', async () => {
    const { failing, version, origin } = await status(daemon)
    return failing.length === 0 && version === 2 && origin.seeder_running ? true : undefined
  })
})

test('when descriptors run short connections are refused before anything fails', async (t) => {
  const { site, daemon } = await start(t, 400)
  assert.match((await daemon.line('http.few-connections')).remedy ?? '', /LimitNOFILE/)
  const { http } = daemon.ports()
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const get = 'GET /boot/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n'
  for (let n = 0; n < 500; n += 1) {
    const socket = connect({ port: http, host: '127.0.0.1', localAddress: '127.0.0.2' })
    sockets.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(get.repeat(1 + (n % 3)))
  }
  const connections = await until('all have come', async () => {
    const now = (await status(daemon)).connections
    return now.refused >= 380 ? now : undefined
  })
  assert.equal(connections.max, 104)
  assert.ok(connections.open <= 104)
  assert.ok(descriptors(daemon.pid) < 400)
  // The catalog works, and so does everybody else.
  writeFileSync(site.artifact('plugins/more.tar.gz'), await tarball('more', 'x'))
  await until('the next version', async () => ((await status(daemon)).version === 2 ? true : undefined))
  assert.equal((await ask(http, '/healthz', { localAddress: '127.0.0.3' })).status, 200)
  assert.deepEqual((await status(daemon)).failing, [])
  assert.deepEqual(
    daemon.lines.filter((line) => line.event === 'part.failed'),
    [],
  )
})

test('without memory for its children the daemon serves on, and they run again afterwards', async (t) => {
  const { site, daemon } = await start(t)
  const [, size] = /^VmSize:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')) ?? []
  // Enough for the daemon, and not for the memory that WebAssembly reserves in the seeder.
  limitProcess(daemon.pid, `--as=${(Number(size) + 512 * 1024) * 1024}:`)
  killChildren(daemon)
  await until('a child finds no memory', async () =>
    daemon.lines.find((line) => /\.exited$/.test(line.event ?? '') && line.signal === ''),
  )
  writeFileSync(site.artifact('plugins/more.tar.gz'), await tarball('more', 'x'))
  await until('the next version', async () => ((await status(daemon)).version === 2 ? true : undefined))
  limitProcess(daemon.pid, '--as=unlimited:')
  await until('the child runs', async () => ((await status(daemon)).origin.seeder_running ? true : undefined))
})

test('on a full disk the daemon serves on, and takes files in when there is room', needsRoot, async (t) => {
  const site = new Site()
  t.after(() => site.end())
  mkdirSync(site.data)
  const mount = 'mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"'
  site.command = ['unshare', '--mount', 'sh', '-c', mount, site.data, ...site.command]
  writeFileSync(site.artifact('rootfs/base.tar.gz'), await tarball('base', 'x'))
  const daemon = site.start()
  await daemon.line('server.ready')
  await daemon.line('catalog.published')
  daemon.dataDir = `/proc/${daemon.pid}/root${site.data}`
  const filler = `${daemon.dataDir}/filler`
  execFileSync('sh', ['-c', 'head -c 64M /dev/zero > "$0" 2>/dev/null || :', filler])
  writeFileSync(site.artifact('plugins/more.tar.gz'), await tarball('more', randomBytes(100_000)))
  const isProblem = async () =>
    (await status(daemon)).problems.some(({ file }) => file === 'plugins/more.tar.gz')
  await until('the file cannot be taken in', async () => ((await isProblem()) ? true : undefined))
  assert.equal((await daemon.https('/healthz')).status, 200)
  assert.equal((await daemon.manifest('aa')).version, 1)
  rmSync(filler)
  await until('the next version', async () => ((await status(daemon)).version === 2 ? true : undefined))
  assert.equal(await isProblem(), false)
})
