/** Boot tickets and node keys on a real server, against those who want to be a node that they are not (docs/security.md#tickets). */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Sqlite from 'better-sqlite3'
import { openStore } from '../../../server/store/store.js'
import { ticketTable } from '../../../server/store/tickets.js'
import { bootScriptOf, startMachine } from '../../support/boot-script.js'
import { TestKey } from '../../support/node-key.js'
import { askApi } from '../../support/operator-api.js'
import { until, untilEqual } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { type Answer, ask, codeOf } from '../http/support.js'
import { type Daemon, nonce, Site } from './support.js'

const mac = '52:54:00:00:00:01'
const [home, elsewhere] = ['127.0.0.1', '127.0.0.66']
const [firstBoot, nextBoot] = ['0011223344556677', '8899aabbccddeeff']
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A site with something to boot; it is published when this resolves. */
async function bootable(t: TestContext, extra = '', flags: readonly string[] = []) {
  const place = new Site(extra)
  t.after(() => place.end())
  for (const name of ['vmlinuz', 'stage1']) writeFileSync(place.artifact(`boot/${name}`), name)
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('etc/hostname', 'x'))
  const server = place.start(...flags)
  await until('all files', async () => {
    if (server.lines.every(({ event }) => event !== 'server.ready')) return undefined
    const { artifacts } = JSON.parse((await server.https('/v1/status')).body.toString())
    return artifacts.length === 3 ? true : undefined
  })
  return { place, server }
}

/** Who asks: by an address, maybe with a key, maybe with a ticket. */
interface Asker {
  readonly key?: TestKey
  readonly ticket?: string
  readonly from?: string
  readonly node?: string
  readonly boot?: string
}

class Client {
  readonly #server: Daemon
  readonly #ca: string

  constructor(server: Daemon) {
    this.#server = server
    this.#ca = readFileSync(join(server.dataDir, 'trust', 'ca.pem'), 'utf8')
  }

  /** Asks for a manifest. */
  manifest({ key, ticket, from = home, node = mac, boot = firstBoot }: Asker): Promise<Answer> {
    const path = `/v1/manifest?node=${node}&nonce=${nonce}&boot=${boot}`
    return this.send('GET', path, '', from, key?.header('GET', path, '', ticket))
  }

  /** Reports that a boot failed with a code. */
  report(code: string, { key, from = home, node = mac, boot = firstBoot }: Asker, seq = 0): Promise<Answer> {
    const data = { code, message: '', retry_in_s: 0 }
    const body = JSON.stringify([{ boot, seq, t_ms: 1, type: 'boot.failed', data }])
    const path = `/v1/nodes/${node}/events`
    return this.send('POST', path, body, from, key?.header('POST', path, body))
  }

  send(method: string, path: string, body: string, localAddress: string, headers = {}): Promise<Answer> {
    return ask(this.#server.ports().https, path, { ca: this.#ca, method, body, localAddress, headers })
  }

  script(from = home): Promise<string> {
    return startMachine(this.#server.ports().http, mac, from)
  }

  async api(path: string) {
    const answer = await askApi({ dataDir: this.#server.dataDir }, 'GET', `/api/v1${path}`)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }

  /** The events of these types, with what they say, once there are so many. */
  events(types: string, count: number): Promise<string[]> {
    return until(`${count} of ${types}`, async () => {
      const { events } = await this.api(`/nodes/${mac}/events?type=${types}`)
      if (events.length < count) return undefined
      return events.map(
        ({ type, data }: { type: string; data: object }) => `${type} ${Object.values(data).join(' ')}`,
      )
    })
  }
}

/** What the database has, while the server runs. */
function stored({ data }: Site): { readonly tickets: number; readonly keys: number } {
  const db = new Sqlite(join(data, 'bootswarm.sqlite'), { readonly: true })
  const table = ticketTable(db)
  const [tickets, keys] = [table.list().length, table.keys().length]
  db.close()
  return { tickets, keys }
}

/** All files below a directory. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
}

test('a ticket is in its script alone: neither in the log, nor in events, nor in any file', async (t) => {
  const { place, server } = await bootable(t, '', ['--log-level', 'trace'])
  const client = new Client(server)
  const used = await client.script()
  const key = new TestKey()
  assert.equal((await client.manifest({ key, ticket: used })).status, 200)
  assert.equal((await client.manifest({ key: new TestKey(), ticket: used, from: elsewhere })).status, 403)
  assert.equal((await client.report('TLS_FAILED', { key })).status, 204)
  const ticket = await client.script()
  await client.events('ticket.refused', 1)
  for (const path of ['/events', `/nodes/${mac}`, `/nodes/${mac}/why`, '/audit', '/status']) {
    const text = JSON.stringify(await client.api(path))
    assert.ok(![used, ticket].some((secret) => text.includes(secret)), path)
  }
  assert.equal(await server.kill('SIGTERM'), 0)
  for (const secret of [used, ticket]) {
    assert.ok(!server.stdout.includes(secret) && !server.stderr.includes(secret))
    for (const path of filesIn(place.data)) {
      const bytes = readFileSync(path)
      assert.ok(!bytes.includes(secret) && !bytes.includes(Buffer.from(secret, 'hex')), path)
    }
  }
  const file = join(place.data, 'bootswarm.sqlite')
  const store = openStore({ file, nowMs: 0, log: { warn: assert.fail } })
  const [tickets, keys] = [store.tickets.list(), store.tickets.keys()]
  await store.close()
  assert.deepEqual(
    [
      tickets.map((kept) => [kept.sha256, kept.node, kept.address]),
      keys.map((kept) => [kept.ticketSha256, kept.address]),
    ],
    [[[sha256(ticket), mac, home]], [[sha256(used), home]]],
  )
  // Stage 1 left a moment after the script.
  assert.ok(tickets.every(({ issuedMs, expiresMs }) => expiresMs - issuedMs < 20 * 60_000))
})

test('tickets of one machine do not pile up: the last script’s is the one that counts', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const [old, last] = [await client.script(), await client.script()]
  const key = new TestKey()
  assert.equal(codeOf(await client.manifest({ key, ticket: old })), 'TICKET_REFUSED')
  assert.equal((await client.manifest({ key, ticket: last })).status, 200)
})

test('who reads the command line of a node that has booted gets nothing for it, and the operator is told', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const ticket = await client.script()
  const key = new TestKey()
  assert.equal((await client.manifest({ key, ticket })).status, 200)
  const thief = { key: new TestKey(), ticket, from: elsewhere, boot: nextBoot }
  assert.equal(codeOf(await client.manifest(thief)), 'TICKET_REFUSED')
  // On the node itself too, by a program that is not root.
  assert.equal(codeOf(await client.manifest({ ...thief, from: home })), 'TICKET_REFUSED')
  assert.equal(codeOf(await client.report('IO', { ...thief, from: home })), 'SIGNATURE_INVALID')
  assert.deepEqual(await client.events('ticket.redeemed,ticket.refused', 3), [
    `ticket.redeemed ${home}`,
    `ticket.refused used ${elsewhere} ${home}`,
    `ticket.refused used ${home} ${home}`,
  ])
  const { alarms } = await client.api(`/nodes/${mac}/why`)
  assert.deepEqual(alarms.map(({ text }: { text: string }) => text).slice(0, 1), [
    `Its ticket was redeemed from ${home}, and presented again from ${elsewhere}: one of the two is not this node`,
  ])
  assert.equal((await client.manifest({ key, ticket })).status, 200, 'the node itself asks again')
})

test('who is first with a ticket that he overheard has to have the address of its machine', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const ticket = await client.script()
  const thief = { key: new TestKey(), ticket, from: elsewhere, boot: nextBoot }
  assert.equal(codeOf(await client.manifest(thief)), 'TICKET_REFUSED')
  assert.equal(codeOf(await client.manifest({ ...thief, from: home, node: 'rig-7' })), 'TICKET_REFUSED')
  assert.equal((await client.manifest({ key: new TestKey(), ticket })).status, 200)
  assert.deepEqual(await client.events('ticket.refused', 2), [
    `ticket.refused address ${elsewhere} ${home}`,
    `ticket.refused node ${home} ${home}`,
  ])
})

test('nobody reports for a node that has a key, nor sends its own reports again', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const key = new TestKey()
  assert.equal((await client.manifest({ key, ticket: await client.script() })).status, 200)
  assert.equal((await client.report('TLS_FAILED', { key })).status, 204)
  for (const other of [{}, { key: new TestKey() }, { from: elsewhere }])
    assert.equal(codeOf(await client.report('FORGED', { ...other, boot: nextBoot })), 'SIGNATURE_INVALID')
  // Recorded by somebody, sent once more, and with other words.
  const path = `/v1/nodes/${mac}/events`
  const body = '[]'
  const headers = key.header('POST', path, body)
  assert.equal((await client.send('POST', path, body, home, headers)).status, 204)
  assert.equal(codeOf(await client.send('POST', path, body, elsewhere, headers)), 'SIGNATURE_INVALID')
  assert.equal(codeOf(await client.send('POST', path, '[ ]', home, headers)), 'SIGNATURE_INVALID')
  const other = key.header('POST', path.replace(mac, 'rig-7'), body)
  assert.equal(codeOf(await client.send('POST', path, body, home, other)), 'SIGNATURE_INVALID')
  const { state, failure } = await client.api(`/nodes/${mac}`)
  assert.deepEqual([state, failure.code], ['failed', 'TLS_FAILED'])
  // Of a node without a key all is as it was.
  assert.equal((await client.report('IO', { node: 'rig-7' })).status, 204)
})

test('who asks for a node’s manifest in its name does not begin a boot of it', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const key = new TestKey()
  const path = `/v1/manifest?node=${mac}&nonce=${nonce}&boot=${firstBoot}`
  const headers = key.header('GET', path, '', await client.script())
  assert.equal((await client.send('GET', path, '', home, headers)).status, 200)
  const before = await client.api(`/nodes/${mac}`)
  assert.equal((await client.manifest({ from: elsewhere, boot: nextBoot })).status, 200)
  // With a request that he has recorded, ticket and all.
  assert.equal(codeOf(await client.send('GET', path, '', elsewhere, headers)), 'TICKET_REFUSED')
  const after = await client.api(`/nodes/${mac}`)
  assert.deepEqual([after.boot, after.address, after.state], [before.boot, before.address, before.state])
  assert.deepEqual(await client.events('manifest.unproven,ticket.refused', 2), [
    `manifest.unproven ${elsewhere}`,
    `ticket.refused used ${elsewhere} ${home}`,
  ])
})

test('required: a node without a ticket gets nothing, until the configuration is read again', async (t) => {
  const { place, server } = await bootable(t, 'tickets: required')
  const client = new Client(server)
  const without = await client.manifest({})
  assert.deepEqual([codeOf(without), without.headers['retry-after']], ['TICKET_REQUIRED', '15'])
  assert.equal(codeOf(await client.manifest({ key: new TestKey() })), 'TICKET_REQUIRED')
  // It may say so: what it reports is taken as ever.
  assert.equal((await client.report('HTTP_STATUS', {})).status, 204)
  const key = new TestKey()
  assert.equal((await client.manifest({ key, ticket: await client.script() })).status, 200)
  assert.equal((await client.manifest({ key })).status, 200)
  assert.equal(codeOf(await client.manifest({ from: elsewhere })), 'TICKET_REQUIRED')
  place.configure('')
  server.signal('SIGHUP')
  await server.line('server.reloaded')
  assert.equal((await client.manifest({ node: 'rig-7' })).status, 200)
})

test('not prevented, but told: who asks for a machine’s script is that machine until it boots again', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const [node, thief] = [new TestKey(), new TestKey()]
  assert.equal((await client.manifest({ key: node, ticket: await client.script() })).status, 200)
  const stolen = { key: thief, ticket: await client.script(elsewhere), from: elsewhere, boot: nextBoot }
  assert.equal((await client.manifest(stolen)).status, 200)
  assert.equal(codeOf(await client.report('IO', { key: node })), 'SIGNATURE_INVALID')
  // The machine is switched off and on.
  const again = new TestKey()
  assert.equal((await client.manifest({ key: again, ticket: await client.script() })).status, 200)
  assert.equal(codeOf(await client.report('IO', { ...stolen })), 'SIGNATURE_INVALID')
  assert.equal((await client.report('IO', { key: again })).status, 204)
  assert.deepEqual(await client.events('ticket.redeemed', 3), [
    `ticket.redeemed ${home}`,
    `ticket.redeemed ${elsewhere} ${home}`,
    `ticket.redeemed ${home} ${elsewhere}`,
  ])
})

test('not prevented, but told: who has a machine’s address and its ticket may be first', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const ticket = await client.script()
  assert.equal((await client.manifest({ key: new TestKey(), ticket, boot: nextBoot })).status, 200)
  const node = { key: new TestKey(), ticket }
  assert.equal(codeOf(await client.manifest(node)), 'TICKET_REFUSED')
  // It boots as one without a ticket.
  assert.equal((await client.manifest({})).status, 200)
  assert.deepEqual(await client.events('ticket.refused', 1), [`ticket.refused used ${home} ${home}`])
})

test('guesses tell nobody anything, and fill neither log nor timeline', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  const key = new TestKey()
  for (let guess = 0; guess < 100; guess += 1) {
    const ticket = guess.toString(16).padStart(32, '0')
    const answer = await client.manifest({ key, ticket, from: elsewhere })
    assert.equal(codeOf(answer), 'TICKET_REFUSED')
    assert.ok(!answer.body.includes(ticket))
  }
  const path = `/v1/manifest?node=${mac}&nonce=${nonce}`
  for (const authorization of ['Bootswarm', `Bootswarm ${'x'.repeat(7000)}`, 'Bootswarm key=ab']) {
    assert.equal(codeOf(await client.send('GET', path, '', home, { authorization })), 'REQUEST_INVALID')
  }
  const ticket = await client.script()
  assert.equal((await client.manifest({ key, ticket })).status, 200)
  const { events } = await client.api(`/events?type=ticket.refused`)
  assert.deepEqual(events, [])
  assert.ok(server.lines.every(({ msg }) => !msg.includes('ticket')))
  // Of those who have a real one, four a minute are told.
  const startedMs = performance.now()
  for (let again = 0; again < 50; again += 1) await client.manifest({ key: new TestKey(), ticket })
  const told = await client.events('ticket.refused', 4)
  const minutes = Math.floor((performance.now() - startedMs) / 60_000) + 2
  assert.ok(told.length <= 4 * minutes, `${told.length} alarms`)
})

test('a restart keeps tickets that wait, keys, and who has used what', async (t) => {
  const { place, server: first } = await bootable(t)
  let client = new Client(first)
  const used = await client.script()
  const key = new TestKey()
  assert.equal((await client.manifest({ key, ticket: used })).status, 200)
  const { ticket } = await bootScriptOf(first.ports().http, '52:54:00:00:00:02')
  // Written a moment later.
  await untilEqual('both to be on the disk', () => stored(place), { tickets: 1, keys: 1 })
  await first.kill('SIGKILL')
  const server = place.start()
  await server.line('server.ready')
  client = new Client(server)
  assert.equal(codeOf(await client.manifest({ key: new TestKey(), ticket: used })), 'TICKET_REFUSED')
  assert.equal(codeOf(await client.report('FORGED', {})), 'SIGNATURE_INVALID')
  assert.equal((await client.report('IO', { key })).status, 204)
  const other = { key: new TestKey(), ticket, node: '52:54:00:00:00:02' }
  await until('the catalog', async () => ((await client.manifest(other)).status === 200 ? true : undefined))
})

test('an agent that knows no tickets boots after one that did, and a forgotten node begins anew', async (t) => {
  const { server } = await bootable(t)
  const client = new Client(server)
  assert.equal((await client.manifest({ key: new TestKey(), ticket: await client.script() })).status, 200)
  assert.equal(codeOf(await client.report('IO', { boot: nextBoot })), 'SIGNATURE_INVALID')
  // Stage 1 of an earlier release, started by today's script.
  await client.script()
  assert.equal((await client.manifest({ boot: nextBoot })).status, 200)
  assert.equal((await client.report('IO', { boot: nextBoot })).status, 204)
  const state = async () => {
    const { boot, failure } = await client.api(`/nodes/${mac}`)
    return [boot, failure?.code]
  }
  await untilEqual('its report', state, [nextBoot, 'IO'])
  // An iPXE of the site's own, after a key.
  const key = new TestKey()
  assert.equal((await client.manifest({ key, ticket: await client.script() })).status, 200)
  assert.equal(codeOf(await client.report('IO', { boot: nextBoot })), 'SIGNATURE_INVALID')
  const forgotten = await askApi({ dataDir: server.dataDir }, 'POST', `/api/v1/nodes/${mac}/forget`)
  assert.equal(forgotten.status, 200)
  assert.equal((await client.report('IO', { boot: nextBoot })).status, 204)
})
