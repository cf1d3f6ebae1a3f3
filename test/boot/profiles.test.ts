/** Nodes of different kinds boot from one server: real agents, real artifacts, and a configuration that changes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { farm } from '../support/farm.js'
import { type TestAgent, until } from '../support/processes.js'
import { checkout } from '../support/scratch.js'

/** Two kinds of rigs. The second is known by its subnet and by what the agent says of the processor. */
const yaml = `
settings: {POOL: all, SITE: here}
profiles:
  common: {settings: {TIER: common}}
  gpu: {extends: common, plugins: "coinboot_gpu_*", settings: {POOL: gpu}}
  lab: {extends: common, rootfs: lab-*, plugins: "!*", settings: {POOL: lab}}
groups:
  - {name: gpus, match: {nodes: "rig[1-2]"}, profile: gpu, hostname: "gpu{index:2}"}
  - name: labs
    match:
      subnets: 127.0.2.0/24
      archs: [x86_64, arm64, i386, riscv64, loong64]
    profile: lab
`

/** Packs a root file system with an init and \`etc/kind\`, whole or not there. */
function putRoot(directory: string, name: string, kind: string): void {
  const stage = join(directory, `stage-${name}`)
  for (const dir of ['etc', 'sbin']) mkdirSync(join(stage, dir), { recursive: true })
  writeFileSync(join(stage, 'etc/kind'), kind)
  writeFileSync(join(stage, 'sbin/init'), '#!/bin/sh\n', { mode: 0o755 })
  const packed = join(directory, name)
  execFileSync('tar', ['-C', stage, '-czf', packed, '.'])
  renameSync(packed, join(directory, 'artifacts/rootfs', name))
}

/** What tells one kind of root from the other. */
function seen({ target }: TestAgent) {
  const read = (name: string) =>
    existsSync(join(target, name)) ? readFileSync(join(target, name), 'utf8') : ''
  const environment = read('etc/environment')
  const setting = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(environment)?.[1]
  return {
    hostname: read('etc/hostname').trim(),
    kind: read('etc/kind'),
    hasGpu: existsSync(join(target, 'usr/lib/modules/gpu.ko')),
    hasMiner: existsSync(join(target, 'opt/miner/run')),
    settings: ['POOL', 'SITE', 'TIER'].map(setting),
  }
}

test('two groups boot their own roots, plugins and settings; SIGHUP moves a node to another profile', async (t) => {
  const { directory, server, boot } = await farm(t, 2_000_000, yaml)
  const booted = async (node: string, bind: string) => {
    const agent = boot(node, bind)
    await agent.event('boot.completed')
    return seen(agent)
  }
  const rootsAre = (...names: string[]) =>
    until(`the root file systems ${names}`, async () => {
      const { artifacts } = (await server.status()) as { artifacts: { kind: string; name: string }[] }
      const found = artifacts.filter(({ kind }) => kind === 'rootfs').map(({ name }) => name)
      return found.join() === names.join() ? true : undefined
    })
  // The group's root file system comes later than its first node.
  const early = boot('rig9', '127.0.2.9')
  putRoot(directory, 'lab-1.tar.gz', 'one')
  await rootsAre('debian.tar.zst', 'lab-1.tar.gz')
  await early.event('boot.completed')
  const lab = { kind: 'one', hasGpu: false, hasMiner: false, settings: ['lab', 'here', 'common'] }
  assert.deepEqual(seen(early), { hostname: 'rig9', ...lab })
  const gpu = { kind: '', hasGpu: true, hasMiner: false, settings: ['gpu', 'here', 'common'] }
  assert.deepEqual(await booted('rig2', '127.0.1.2'), { hostname: 'gpu02', ...gpu })
  assert.deepEqual(await booted('rig8', '127.0.1.8'), {
    hostname: 'rig8',
    ...{ kind: '', hasGpu: true, hasMiner: true, settings: ['all', 'here', undefined] },
  })

  const config = join(directory, 'bootswarm.yaml')
  const logged = (event: string) => (server.lines.some((line) => line.includes(event)) ? true : undefined)
  const signalled = async (text: string, event: string) => {
    writeFileSync(config, text)
    server.child.kill('SIGHUP')
    await until(event, async () => logged(event))
  }
  // A file with a mistake is refused as a whole.
  await signalled(`${yaml}nodes: [{match: rig1, profile: lap}]\n`, 'server.reload-failed')
  assert.deepEqual(await booted('rig1', '127.0.1.1'), { hostname: 'gpu01', ...gpu })
  putRoot(directory, 'lab-2.tar.gz', 'two')
  await rootsAre('debian.tar.zst', 'lab-2.tar.gz')
  writeFileSync(config, yaml)
  const next = join(directory, 'next.yaml')
  writeFileSync(next, `${yaml}nodes: [{match: rig3, profile: lab}]\n`)
  const command = [join(checkout, 'dist/cli/bootswarm.js'), 'config', 'apply', next, '--yes']
  const said = execFileSync(process.execPath, command, { cwd: directory, encoding: 'utf8' })
  assert.match(said, /^rig3 \(1 node\)\n {2}rootfs .*-> lab-\*\n/)
  assert.match(said, new RegExp(`process ${server.child.pid}\\) reads it now`))
  await until('the reload', async () => logged('server.reloaded'))
  assert.deepEqual(await booted('rig3', '127.0.1.3'), { hostname: 'rig3', ...lab, kind: 'two' })
})
