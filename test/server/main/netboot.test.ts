import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { untilEqual } from '../../support/processes.js'
import { ask, codeOf } from '../http/support.js'
import { type Daemon, Site } from './support.js'

const kernel = randomBytes(3_000_000)
const stage1 = randomBytes(100_000)
const mac = (node: number) => `52-54-00-00-00-${node.toString(16).padStart(2, '0')}`

async function start(t: TestContext, loadsMax: number): Promise<{ daemon: Daemon; port: number }> {
  const site = new Site()
  t.after(() => site.end())
  mkdirSync(`${site.dir}/ipxe/x64`, { recursive: true })
  writeFileSync(`${site.dir}/ipxe/undionly.kpxe`, stage1)
  writeFileSync(`${site.dir}/ipxe/x64/ipxe.efi`, kernel)
  writeFileSync(site.artifact('boot/vmlinuz'), kernel)
  writeFileSync(site.artifact('boot/stage1 $x;'), stage1)
  site.configure(
    `netboot: {mode: off, ipxe_dir: ${site.dir}/ipxe, loads_max: ${loadsMax}, kernel_args: quiet}\nnodes: [{match: '52:54:00:00:00:07', hostname: rig007, kernel_args: nomodeset}]`,
  )
  const daemon = site.start()
  await daemon.line('server.ready')
  await daemon.line('catalog.published')
  return { daemon, port: daemon.ports().http }
}

async function script(port: number, node: number): Promise<string> {
  const answer = await ask(port, `/v1/ipxe/script/${mac(node)}?arch=x86_64`)
  assert.equal(answer.status, 200)
  return answer.body.toString()
}

function files(text: string): string[] {
  return [...text.matchAll(/http:\/\/[^/\s]+(\/v1\/ipxe\/file\/\S+)/g)].map(([, path]) => path ?? '')
}

/** Asks as a node does, until it may load: what it may. */
async function admitted(port: number, node: number): Promise<string[]> {
  for (;;) {
    const found = files(await script(port, node))
    if (found.length > 0) return found
  }
}

/** The queue as `/v1/status` has it. */
async function queue(port: number): Promise<{ completed: number; waiting: number; loading: string[] }> {
  return JSON.parse((await ask(port, '/v1/status')).body.toString()).netboot.queue
}

test('boot programs by GET and HEAD with their length, on a connection that stays open', async (t) => {
  const { daemon, port } = await start(t, 8)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const head = await ask(port, '/v1/ipxe/bin/x64/ipxe.efi', { method: 'HEAD', agent })
  assert.equal(head.status, 200)
  assert.equal(head.headers['content-length'], String(kernel.length))
  assert.equal(head.body.length, 0)
  const got = await ask(port, '/v1/ipxe/bin/x64/ipxe.efi', { agent })
  assert.equal(got.headers['content-length'], String(kernel.length))
  assert.ok(got.body.equals(kernel))
  assert.ok(Object.values({ ...head.headers, ...got.headers }).every((value) => value !== ''))
  assert.ok((await ask(port, '/v1/ipxe/bin/bios/undionly.kpxe', { agent })).body.equals(stage1))
  assert.match((await ask(port, '/v1/ipxe/bin/bios/autoexec.ipxe')).body.toString(), /^#!ipxe\n/)
  for (const path of ['x64/snponly.efi', 'x64/..%2f..%2fsite.yaml', '__proto__/x', 'bios/site.yaml'])
    assert.equal(codeOf(await ask(port, `/v1/ipxe/bin/${path}`)), 'BOOT_PROGRAM_MISSING', path)
  const status = JSON.parse((await ask(port, '/v1/status')).body.toString())
  assert.deepEqual(status.netboot.programs.present, ['bios/undionly.kpxe', 'x64/ipxe.efi'])
  assert.deepEqual(status.netboot.programs.missing, ['x64/snponly.efi'])
  assert.ok(daemon.pid > 0)
})

test('a node’s script names its files, and these are the ones of the version', async (t) => {
  const { daemon, port } = await start(t, 8)
  const first = (await ask(port, `/v1/ipxe/script/${mac(7)}`)).body.toString()
  assert.match(first, /chain .*\/v1\/ipxe\/script\/52-54-00-00-00-07\?arch=\$\{bs-arch\} \|\|/)
  const text = await script(port, 7)
  assert.match(text, /rig007 \(52:54:00:00:00:07\)/)
  assert.match(
    text,
    /bootswarm.node=52:54:00:00:00:07 BOOTIF=01-52-54-00-00-00-07 bootswarm.ticket=[0-9a-f]{32} quiet nomodeset \|\|/,
  )
  const [kernelPath = '', stage1Path = ''] = files(text)
  assert.ok(stage1Path.endsWith('/stage1%20%24x%3B'))
  assert.ok((await ask(port, kernelPath)).body.equals(kernel))
  assert.ok((await ask(port, stage1Path)).body.equals(stage1))
  // Both are there: the admission is over, as soon as the server has seen the end of the answer.
  await untilEqual('the load to be counted', async () => (await queue(port)).completed, 1)
  assert.equal(codeOf(await ask(port, kernelPath)), 'ORIGIN_BUSY')
  assert.match(
    (await ask(port, `/v1/ipxe/script/${mac(7)}?arch=arm64`)).body.toString(),
    /no vmlinuz and stage1 for arm64/,
  )
  assert.match(
    (await ask(port, `/v1/ipxe/script/${mac(7)}?arch=%24%7Bx%7D`)).body.toString(),
    /architecture unknown/,
  )
  assert.equal((await daemon.line('netboot.refused')).code, 'BOOT_FILES_MISSING')
  assert.match((await daemon.line('netboot.loads')).msg, /^rig007 \(52:54:00:00:00:07\) may load vmlinuz/)
  assert.equal(codeOf(await ask(port, '/v1/ipxe/script/nobody')), 'NODE_ID_INVALID')
  const sha256 = createHash('sha256').update('x').digest('hex')
  assert.equal(codeOf(await ask(port, `/v1/ipxe/file/${mac(7)}/${sha256}/vmlinuz`)), 'ARTIFACT_NOT_FOUND')
})

test('nodes load one after the other; a held one goes when a place is free, one that hangs up keeps none', async (t) => {
  const { port } = await start(t, 1)
  const first = files(await script(port, 1))
  assert.equal(first.length, 2)
  const waiting = admitted(port, 2)
  await untilEqual('the second to wait', async () => (await queue(port)).waiting, 1)
  assert.equal(
    codeOf(await ask(port, files(await script(port, 1))[0]?.replace(mac(1), mac(2)) ?? '')),
    'ORIGIN_BUSY',
  )
  for (const path of first) assert.equal((await ask(port, path)).status, 200)
  const second = await waiting
  assert.equal(second.length, 2)
  // The third is told its place when it has been held long enough, or loads if that was too long for the second's turn.
  const told = await script(port, 3)
  assert.match(told, /is number 1 of 1 in the queue\n| loads version 1: /)
  // The second is cut off in the middle of the kernel: it may try again.
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET ${second[0]} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
  socket.destroy()
  for (const path of await admitted(port, 2)) assert.equal((await ask(port, path)).status, 200)
  await untilEqual(
    'both loads to be counted',
    async () => {
      const { completed, loading } = await queue(port)
      return { completed, loading }
    },
    { completed: 2, loading: [] },
  )
})
