/** Booted nodes give the memory of their artifacts back: after a storm, and when they need it themselves. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { catalog, farm } from '../support/farm.js'
import { startAgent, startServer, type TestAgent, until, untilEqual } from '../support/processes.js'
import { scratch } from '../support/scratch.js'

const bulkBytes = 24_000_000
const agentIsRoot = process.getuid?.() === 0

type Counted = Readonly<Record<string, number>>

/** Sizes of the artifacts that the process holds in memory, bytes that really are there. */
function heldBytes({ child }: TestAgent): number[] {
  const directory = `/proc/${child.pid}/fd`
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => readlinkSync(path).startsWith('/memfd:bootswarm-artifact'))
    .map((path) => statSync(path).blocks * 512)
    .filter((bytes) => bytes > 0)
}

test('after the storm some nodes of each rack seed on, the others end; a late node boots from those that are left', async (t) => {
  const yaml = 'settings: { POOL: x }\nseeding: { calm_s: 2, keep_per_rack: 1, keep_min: 3 }\n'
  const { site, server, boot } = await farm(t, bulkBytes, yaml)
  const agents = [1, 2, 3, 4, 5, 6, 7].map((n) => boot(`rig${n}`, `127.0.${n > 4 ? 2 : 1}.${n}`))
  await Promise.all(agents.map((agent) => agent.event('boot.completed')))
  const payload = [site.rootfs, ...site.plugins].reduce((sum, file) => sum + statSync(file).size, 0)

  const ended = new Set<TestAgent>()
  for (const agent of agents) void agent.exited.then(() => ended.add(agent))
  await until('four nodes that end', async () => (ended.size === 4 ? true : undefined))
  for (const agent of ended) {
    assert.equal(agent.child.exitCode, 0, agent.lines.join('\n'))
    const { data } = await agent.event('seeding.ended')
    assert.equal(data.reason, 'storm-over')
    assert.equal(data.given_back_bytes, payload)
  }
  const left = agents.filter((agent) => !ended.has(agent))
  const racks = new Set(left.map((agent) => Math.floor(agents.indexOf(agent) / 4)))
  assert.equal(racks.size, 2, 'somebody in each rack is left')
  for (const agent of left) {
    assert.ok(heldBytes(agent).reduce((sum, bytes) => sum + bytes, 0) >= payload, 'all of it is still there')
  }
  await untilEqual(
    'the server to have heard of the ends',
    async () => {
      const { seeding, tracker } = (await server.status()) as { seeding: Counted; tracker: Counted }
      return { nodes: seeding.nodes, peers: tracker.peers }
    },
    { nodes: 3, peers: 3 * 3 },
  )

  const late = boot('rig8', '127.0.2.8')
  const { data } = await late.event('boot.completed')
  assert.ok(Number(data.from_origin_bytes) < payload / 50, `${data.from_origin_bytes} bytes of the server`)
  // It is not needed beside those that were kept; they are.
  assert.equal(await late.exited, 0)
  assert.deepEqual(
    left.map((agent) => agent.child.exitCode),
    [null, null, null],
  )
  const [one, two] = left
  assert.ok(one !== undefined && two !== undefined)
  one.child.kill('SIGTERM')
  assert.equal(await one.exited, 0)
  assert.equal((await one.event('seeding.ended')).data.reason, 'signal')

  // One loses its power, and boots again: nobody is sent to its former self.
  two.child.kill('SIGKILL')
  await two.exited
  rmSync(two.target, { recursive: true })
  const number = agents.indexOf(two) + 1
  const again = boot(`rig${number}`, `127.0.${number > 4 ? 2 : 1}.${number}`)
  await again.event('boot.completed')
  const peers = async () => ((await server.status()).tracker as { peers: number }).peers
  await until('two nodes at the tracker', async () => ((await peers()) === 2 * 3 ? true : undefined))
})

test('a node whose memory runs short lets its artifacts go and lives on', {
  skip: !agentIsRoot && 'needs root for a mount namespace of its own',
}, async (t) => {
  const { directory, server, boot } = await farm(t, bulkBytes, 'settings: { POOL: x }\n')
  const meminfo = join(directory, 'meminfo')
  const available = (mb: number) =>
    writeFileSync(meminfo, `MemTotal: ${4 * 1024 * 1024} kB\nMemAvailable: ${mb * 1024} kB\n`)
  available(3000)
  // The kernel's own file, seen through another one in this process alone.
  const mount = 'mount --bind "$0" /proc/meminfo && exec "$@"'
  const agent = boot('rig1', '127.0.1.1', [], ['unshare', '--mount', 'sh', '-c', mount, meminfo])
  await agent.event('boot.completed')
  const whole = heldBytes(agent)
  assert.equal(whole.length, 3)
  const oom = () => readFileSync(`/proc/${agent.child.pid}/oom_score_adj`, 'utf8').trim()
  await until('the first place before the OOM killer', async () => (oom() === '1000' ? true : undefined))
  const peers = async () => ((await server.status()).tracker as { peers: number }).peers
  await untilEqual('the announces', peers, 3)

  available(200)
  await agent.event('artifact.dropped')
  await until('one artifact less', async () => (heldBytes(agent).length === 2 ? true : undefined))
  await until('one torrent less', async () => ((await peers()) === 2 ? true : undefined))
  assert.equal(agent.child.exitCode, null, 'it seeds the others')
  const seeds = async () => ((await server.status()).seeding as { nodes: number }).nodes
  await until('no whole seed any more', async () => ((await seeds()) === 0 ? true : undefined))

  available(30)
  assert.equal(await agent.exited, 0)
  const end = (await agent.event('seeding.ended')).data
  assert.equal(end.reason, 'memory-short')
  assert.equal(agent.events.filter(({ type }) => type === 'artifact.dropped').length, 3)
  await until('the tracker knows', async () => ((await peers()) === 0 ? true : undefined))
  assert.equal(readFileSync(join(agent.target, 'etc/hostname'), 'utf8').trim(), 'rig1')
})

test('a file that is handed over is in memory once, may be mounted while it is seeded, and stays when the agent ends', {
  skip: !agentIsRoot && 'needs root to mount',
}, async (t) => {
  const directory = scratch(t)
  const content = randomBytes(24_000_000)
  const [stage, rootfs] = [join(directory, 'stage'), join(directory, 'artifacts', 'rootfs')]
  for (const path of [stage, rootfs]) mkdirSync(path, { recursive: true })
  writeFileSync(join(stage, 'bulk'), content)
  execFileSync('mksquashfs', [stage, join(rootfs, 'root.squashfs'), '-quiet', '-no-progress'])
  const size = statSync(join(rootfs, 'root.squashfs')).size
  const server = await startServer(t, directory)
  await catalog(server)
  const mounted = (type: string, from: string, flags: string) => {
    const path = mkdtempSync(join(tmpdir(), 'bootswarm-mount-'))
    execFileSync('mount', ['-t', type, '-o', flags, from, path])
    t.after(() => {
      execFileSync('umount', ['-l', path])
      rmdirSync(path)
    })
    return path
  }
  const trust = join(server.dataDir, 'trust')
  const boot = (node: string, bind: string) => {
    const target = mounted('tmpfs', 'tmpfs', 'size=100m')
    return startAgent(t, { node, target, server: server.url, trust, bind })
  }
  const first = boot('rig1', '127.0.1.1')
  await first.event('boot.completed')
  const file = join(first.target, '.bootswarm', 'root.squashfs')
  assert.equal(statSync(file).size, size)
  assert.deepEqual(heldBytes(first), [], 'nothing beside the file')
  const used = statfsSync(first.target)
  assert.ok((used.blocks - used.bfree) * used.bsize < size + 1_000_000, 'and the file once')

  const root = mounted('squashfs', file, 'loop,ro')
  assert.deepEqual(readFileSync(join(root, 'bulk')), content)
  const second = boot('rig2', '127.0.1.2')
  const { data } = await second.event('boot.completed')
  assert.ok(Number(data.from_peers_bytes) > 0, 'it is seeded while it is mounted')
  first.child.kill('SIGTERM')
  assert.equal(await first.exited, 0)
  assert.equal((await first.event('seeding.ended')).data.given_back_bytes, 0)
  assert.deepEqual(readFileSync(join(root, 'bulk')), content)
})
