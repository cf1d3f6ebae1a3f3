/** Whole boots: real agents against the real server, on files, over loopback. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { catalog, farm } from '../support/farm.js'
import { childrenOf, residentPeakMb, startAgent, type TestAgent, until } from '../support/processes.js'
import type { TestSite } from '../support/test-site.js'

/** CPU-bound tests on shared machines: the budget is 12 MB, held to the byte. */
const residentMbMax = 12

function assertWhole(site: TestSite, agent: TestAgent, hostname: string): void {
  const read = (name: string) => readFileSync(join(agent.target, name), 'utf8')
  assert.deepEqual(readFileSync(join(agent.target, site.bulkFile)), site.bulk)
  assert.equal(read('etc/hostname').trim(), hostname)
  assert.match(read('opt/miner/run'), /mining/)
  assert.equal(statSync(join(agent.target, 'opt/miner/run')).mode & 0o777, 0o755)
  assert.ok(
    existsSync(join(agent.target, 'usr/lib/modules/gpu.ko')),
    'the link /lib is followed inside the root',
  )
  assert.match(read('var/lib/dpkg/status'), /Package: base[\s\S]*Package: gpu/)
  assert.ok(!existsSync(join(agent.target, 'tmp/dpkg_status')))
  assert.match(read('etc/environment'), /^PATH=.*\n(?:.*\n)*POOL=/m)
}

test('six nodes in two racks boot whole, mostly from one another, within the memory budget', async (t) => {
  const yaml =
    'settings:\n  POOL: pool.example:3333\nnodes:\n  - match: rig[1-6]\n    settings: { TIER: a }\n'
  const { site, server, boot } = await farm(t, 24_000_000, yaml)
  const agents = [1, 2, 3, 4, 5, 6].map((n) => boot(`rig${n}`, `127.0.${n > 3 ? 2 : 1}.${n}`))
  const done = await Promise.all(agents.map((agent) => agent.event('boot.completed')))
  for (const [index, agent] of agents.entries()) assertWhole(site, agent, `rig${index + 1}`)

  const total = (name: string) => done.reduce((sum, event) => sum + Number(event.data[name]), 0)
  const payload = [site.rootfs, ...site.plugins].reduce((sum, file) => sum + statSync(file).size, 0)
  const copies = total('from_origin_bytes') / payload
  // Six nodes that each went to the server would make 6; loopback has no link that could be the limit.
  assert.ok(copies < 3, `the server sent ${copies.toFixed(2)} copies`)
  assert.equal(
    total('from_origin_bytes') + total('from_peers_bytes'),
    6 * payload,
    'every byte is accounted for',
  )
  for (const agent of agents) {
    const resident = residentPeakMb(agent.child.pid ?? 0)
    assert.ok(resident <= residentMbMax, `${resident.toFixed(1)} MB resident`)
  }

  const status = await until('the nodes in the status', async () => {
    const answer = await server.status()
    return JSON.stringify(answer).match(/"booted":6/) ? answer : undefined
  })
  assert.ok(status)
  await server.kill('SIGTERM')
  assert.equal(server.child.exitCode, 0)
})

test('a node boots when the server is killed after the manifest, from the peers alone', async (t) => {
  // A node that was done before this process came to kill the server proves nothing: once more, with more to load.
  for (let bulkBytes = 48_000_000; ; bulkBytes *= 2) {
    const { site, server, boot } = await farm(t, bulkBytes, 'settings: { POOL: x }\n')
    const first = boot('rig1', '127.0.1.1')
    await first.event('boot.completed')
    const second = boot('rig2', '127.0.1.2')
    await second.event('manifest.verified')
    await server.kill('SIGKILL')
    const wasDone = second.events.some((event) => event.type === 'boot.completed')
    const done = await second.event('boot.completed')
    assertWhole(site, second, 'rig2')
    if (wasDone) continue
    assert.ok(Number(done.data.from_peers_bytes) > 0)
    return
  }
})

test('a node boots from the HTTPS origin alone', async (t) => {
  const { site, server, boot } = await farm(t, 3_000_000, 'settings: { POOL: x }\n')
  // The seeder's process stands still: it takes connections and never answers.
  const seeder = childrenOf(server.child.pid ?? 0)
  for (const pid of seeder) process.kill(pid, 'SIGSTOP')
  t.after(() => {
    for (const pid of seeder) if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL')
  })
  const agent = boot('rig1', '127.0.1.1', ['--no-tracker', '--no-lsd', '--no-dht'])
  const done = await agent.event('boot.completed')
  assertWhole(site, agent, 'rig1')
  assert.equal(done.data.from_peers_bytes, 0)
})

test('a node that is booting keeps its version while the operator replaces the root file system', async (t) => {
  const { directory, site, server, boot } = await farm(t, 24_000_000, 'settings: { POOL: x }\n')
  const before = await catalog(server)
  const agent = boot('rig1', '127.0.1.1')
  const verified = await agent.event('manifest.verified')
  assert.equal(verified.data.version, before)
  const stage = join(directory, 'other')
  mkdirSync(join(stage, 'etc'), { recursive: true })
  writeFileSync(join(stage, 'etc/version'), 'two')
  mkdirSync(join(stage, 'sbin'))
  writeFileSync(join(stage, 'sbin/init'), '#!/bin/sh\n', { mode: 0o755 })
  execFileSync('tar', ['-C', stage, '-czf', site.rootfs, '.'])
  await agent.event('boot.completed')
  assertWhole(site, agent, 'rig1')
  await until('a new version', async () => ((await catalog(server)) > before ? true : undefined))
  const later = boot('rig2', '127.0.1.2')
  await later.event('boot.completed')
  assert.equal(readFileSync(join(later.target, 'etc/version'), 'utf8'), 'two')
  assert.ok(!existsSync(join(later.target, site.bulkFile)))
})

test('racks configured by the names of nodes reach the tracker', async (t) => {
  const yaml =
    'settings: { POOL: x }\nracks:\n  - { name: left, nodes: "rig[1,3]" }\n  - { name: right, nodes: "rig[2]" }\n'
  const { server, boot } = await farm(t, 100_000, yaml)
  for (const n of [1, 2, 3]) await boot(`rig${n}`, `127.0.0.${n + 10}`).event('boot.completed')
  const [artifact] = (await server.status()).artifacts as { infohash: string }[]
  assert.ok(artifact)
  const hash = artifact.infohash.replace(/../g, '%$&')
  const query = `info_hash=${hash}&peer_id=-BW0001-abcdefghijkl&port=4000&uploaded=0&downloaded=0&left=1&compact=1`
  const answer = await new Promise<string>((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: server.ports.http,
      path: `/announce?${query}`,
      localAddress: '127.0.0.11',
    }
    get(options, (response) => {
      let body = ''
      response.setEncoding('latin1').on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve(body))
    }).on('error', reject)
  })
  // rig1 asks with a port that it does not listen on, so it meets itself. All three share a /24.
  assert.match(answer, /11:local peersi2e/)
  const peers = Buffer.from(answer.slice(answer.indexOf('5:peers18:') + 10), 'latin1')
  assert.deepEqual(new Set([peers[3], peers[9]]), new Set([11, 13]), 'rig1 and rig3 first')
  assert.equal(peers[15], 12, 'then rig2, from the other rack')
})

test('a full target stops the boot with TARGET_FULL and leaves no root to enter', {
  skip: process.getuid?.() !== 0 && 'needs root to mount a tmpfs',
}, async (t) => {
  const { server } = await farm(t, 8_000_000, 'settings: { POOL: x }\n')
  const target = mkdtempSync(join(tmpdir(), 'bootswarm-small-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', target])
  t.after(() => {
    execFileSync('umount', ['-l', target])
    rmdirSync(target)
  })
  const agent = startAgent(t, {
    node: 'rig1',
    target,
    server: server.url,
    trust: join(server.dataDir, 'trust'),
    flags: ['--once'],
  })
  assert.equal(await agent.exited, 1)
  assert.ok(agent.lines.join('\n').includes('TARGET_FULL'), agent.lines.join('\n'))
  assert.ok(!existsSync(join(target, 'etc/hostname')))
})
