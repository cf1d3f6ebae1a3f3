/** The daemon when the system has no descriptors, no memory or no room on the disk for it: it stays, says so, and works on afterwards. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { until } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { type Daemon, Site } from './support.js'

async function start(t: TestContext): Promise<{ site: Site; daemon: Daemon }> {
  const site = new Site()
  t.after(() => site.end())
  writeFileSync(site.artifact('boot/vmlinuz'), randomBytes(16 << 20))
  writeFileSync(site.artifact('rootfs/base.tar.gz'), await tarball('base', 'x'))
  const daemon = site.start()
  await daemon.line('server.ready')
  await daemon.line('catalog.published')
  return { site, daemon }
}

/** The limits of a running process, set by its own user: even root may not set another's everywhere. */
function limit(pid: number, ...limits: readonly string[]): void {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const id = (name: string) => Number(new RegExp(`^${name}:\\t(\\d+)`, 'm').exec(text)?.[1])
  const user = process.getuid?.() === id('Uid') ? {} : { uid: id('Uid'), gid: id('Gid') }
  execFileSync('prlimit', ['--pid', String(pid), ...limits], user)
}

async function status(daemon: Daemon) {
  const answer = await daemon.https('/v1/status')
  return JSON.parse(answer.body.toString()) as {
    version: number
    failing: { part: string; code: string }[]
    origin: { seeder_running: boolean; seeder_restarts: number }
  }
}

test('without a free descriptor every part waits and works again afterwards', async (t) => {
  const { site, daemon } = await start(t)
  const [files] = /^Max open files +\S+/m.exec(readFileSync(`/proc/${daemon.pid}/limits`, 'utf8')) ?? []
  const seeder = Number(
    /^\d+/.exec(execFileSync('pgrep', ['-P', String(daemon.pid)], { encoding: 'utf8' }))?.[0],
  )
  limit(daemon.pid, '--nofile=3:')
  // Each needs a descriptor: addresses, catalog, the process of the seeder or of the DHT node.
  writeFileSync(site.artifact('plugins/more.tar.gz'), await tarball('more', 'x'))
  process.kill(seeder, 'SIGKILL')
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
  limit(daemon.pid, `--nofile=${files?.split(/ +/).at(-1)}:`)
  await until('all work again', async () => {
    const { failing, version, origin } = await status(daemon)
    return failing.length === 0 && version === 2 && origin.seeder_running ? true : undefined
  })
})
