/** What nodes boot once, on a real server: from an operator's word to script and manifest, and what comes after. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { askApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { ask } from '../http/support.js'
import { type Daemon, Site } from './support.js'

const mac = '52:54:00:00:00:01'
const path = `/v1/ipxe/script/${mac.replaceAll(':', '-')}`
const boots = ['00112233445566aa', '00112233445566bb', '00112233445566cc'] as const
const yaml = `profiles:
  stable: {rootfs: stable-*.tar.gz}
  older: {rootfs: canary-1.tar.gz}
  canary: {rootfs: canary-*.tar.gz, kernel_args: canary=1, settings: {RING: canary}}
groups: [{name: all, match: {macs: "52:54:00"}, profile: stable}]`

const post = (server: Daemon, id: string, nextBoot: object | null) =>
  askApi({ dataDir: server.dataDir }, 'POST', `/api/v1/nodes/${id}/next-boot`, { next_boot: nextBoot })
const nodeOf = async (server: Daemon) =>
  (await askApi({ dataDir: server.dataDir }, 'GET', `/api/v1/nodes/${mac}`)).body
const waiting = async (server: Daemon) => (await nodeOf(server)).next_boot

/** The kernel arguments of a boot from iPXE on, and what its agent gets. */
async function bootOf(
  server: Daemon,
  boot: string,
): Promise<{ line: string; files: string[]; ring: unknown }> {
  await ask(server.ports().http, path)
  const script = (await ask(server.ports().http, `${path}?arch=x86_64`)).body.toString()
  const { artifacts, node } = await server.manifest(mac, boot)
  const line = /bootswarm\.ticket=\S+ ?(.*) \|\|/.exec(script)?.[1] ?? script
  return { line, files: artifacts.map(({ name }) => name), ring: node.settings.RING }
}

async function site(t: TestContext): Promise<{ place: Site; server: Daemon }> {
  const place = new Site(yaml)
  t.after(() => place.end())
  for (const name of ['stable-1', 'canary-1', 'canary-2'])
    writeFileSync(place.artifact(`rootfs/${name}.tar.gz`), await tarball('etc/hostname', name))
  for (const name of ['vmlinuz', 'stage1.img']) writeFileSync(place.artifact(`boot/${name}`), name)
  const server = place.start()
  await server.line('catalog.published')
  await ask(server.ports().http, path)
  await until('it to be listed', async () => ((await nodeOf(server)).id === mac ? true : undefined))
  return { place, server }
}

const stable = { line: '', files: ['stable-1.tar.gz'], ring: undefined }
const canary = { line: 'canary=1', files: ['canary-2.tar.gz'], ring: 'canary' }

test('a profile and a root file system for one boot, which a restart of the server does not lose or give twice', async (t) => {
  const site1 = await site(t)
  let { server } = site1
  assert.deepEqual(await bootOf(server, boots[0]), stable)
  const set = await post(server, mac, { profile: ['canary'] })
  assert.deepEqual(
    [set.status, set.body.next_boot],
    [200, { from: 'network', profile: ['canary'], rootfs: null }],
  )
  // The boot that runs goes on with what it began with.
  assert.deepEqual((await server.manifest(mac, boots[0])).node.settings, {})
  await server.kill('SIGKILL')
  server = site1.place.start()
  await server.line('server.ready')
  assert.deepEqual((await waiting(server)).profile, ['canary'])
  assert.deepEqual(await bootOf(server, boots[1]), canary)
  assert.equal(await waiting(server), null)
  const taken = async () => {
    const { body } = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/events?type=next-boot.taken')
    return body.events.map(({ data }: { data: { profile: string } }) => data.profile)
  }
  await until('the event', async () => ((await taken()).length > 0 ? true : undefined))
  await server.kill('SIGKILL')
  server = site1.place.start()
  await server.line('server.ready')
  // The same boot asks again.
  assert.deepEqual((await server.manifest(mac, boots[1])).node.settings, { RING: 'canary' })
  assert.deepEqual(await bootOf(server, boots[2]), stable)
  assert.deepEqual(await taken(), ['canary'])
  assert.equal((await post(server, mac, { rootfs: 'canary-1*' })).status, 200)
  assert.deepEqual(await bootOf(server, boots[0]), { ...stable, files: ['canary-1.tar.gz'] })
})

test('its own disk and the shell, what is refused, and who may', async (t) => {
  const { server } = await site(t)
  const script = async () => {
    await ask(server.ports().http, path)
    return (await ask(server.ports().http, `${path}?arch=x86_64`)).body.toString()
  }
  await post(server, mac, { from: 'disk' })
  assert.match(await script(), /boots from its own disk, this once\n.*\nsanboot /)
  await until('the cause', async () => {
    const { body } = await askApi({ dataDir: server.dataDir }, 'GET', `/api/v1/nodes/${mac}/why`)
    return body.cause === 'NEXT_BOOT' ? true : undefined
  })
  assert.match(await script(), /\nboot \|\| goto failed/)
  await post(server, mac, { from: 'shell' })
  assert.match(await script(), /\nshell \|\|\n/)
  assert.match(await script(), /\nboot \|\| goto failed/)
  await post(server, mac, { from: 'shell' })
  assert.equal((await post(server, mac, null)).body.next_boot, null)
  assert.match(await script(), /\nboot \|\| goto failed/)
  const refused: readonly [object, RegExp][] = [
    [{}, /expected a profile or a rootfs/],
    [{ from: 'disk', rootfs: 'x' }, /expected a profile or a rootfs/],
    [{ from: 'moon' }, /from/],
    [{ profile: ['moon'] }, /there is no profile moon, only stable, older, canary/],
    [{ rootfs: 'moon*' }, /no root file system moon\* is published, only .*name it in a profile/],
    [{ rootfs: '../moon' }, /name of a file/],
    [{ profile: Array(1000).fill('canary') }, /profile/],
  ]
  for (const [body, text] of refused) {
    const answer = await post(server, mac, body)
    assert.deepEqual([answer.status, answer.body.code], [400, 'REQUEST_INVALID'], JSON.stringify(body))
    assert.match(answer.body.message, text)
  }
  assert.equal((await post(server, '52:54:00:00:00:09', { from: 'disk' })).body.code, 'NODE_UNKNOWN')
  const { dataDir } = server
  const made = await askApi({ dataDir }, 'POST', '/api/v1/tokens', { role: 'view' })
  const view = { dataDir, port: server.ports().operators, token: made.body.token as string }
  const denied = await askApi(view, 'POST', `/api/v1/nodes/${mac}/next-boot`, { next_boot: null })
  assert.deepEqual([denied.status, denied.body.code], [403, 'ROLE_TOO_LOW'])
  await post(server, mac, { profile: ['canary'], rootfs: 'stable-1.tar.gz' })
  await askApi({ dataDir }, 'POST', `/api/v1/nodes/${mac}/forget`)
  assert.match(await script(), /\nboot \|\| goto failed/)
  const audit = await askApi({ dataDir }, 'GET', '/api/v1/audit?limit=2')
  const [, line] = audit.body.lines
  assert.deepEqual(
    [line.action, line.detail],
    ['node.next-boot-set', 'profile canary, root file system stable-1.tar.gz'],
  )
})
