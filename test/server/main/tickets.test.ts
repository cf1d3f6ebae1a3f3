/** The tickets of boot scripts, on a real server. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openStore } from '../../../server/store/store.js'
import { askApi } from '../../support/operator-api.js'
import { ask } from '../http/support.js'
import { type Daemon, Site } from './support.js'

const mac = '52:54:00:00:00:01'

/** A site that has kernel and stage 1; they are published when this resolves. */
async function siteWithStage1(t: TestContext, flags: readonly string[] = []) {
  const place = new Site()
  t.after(() => place.end())
  for (const name of ['vmlinuz', 'stage1']) writeFileSync(place.artifact(`boot/${name}`), name)
  const server = place.start(...flags)
  await server.line('catalog.published')
  return { place, server }
}

async function scriptOf(server: Daemon): Promise<string> {
  const path = `/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`
  const answer = await ask(server.ports().http, path)
  assert.equal(answer.status, 200)
  return answer.body.toString()
}

const ticketIn = (script: string) => /bootswarm\.ticket=([0-9a-f]{32}) /.exec(script)?.[1]

/** All files below a directory. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
}

test('a ticket is in its script alone: neither in the log, nor in events, nor in any file; a restart knows it', async (t) => {
  const { place, server } = await siteWithStage1(t, ['--log-level', 'trace'])
  const script = await scriptOf(server)
  const ticket = ticketIn(script)
  assert.ok(ticket !== undefined, script)
  const [, stage1 = ''] = /initrd \S+ \S+ --name stage1 http:\/\/[^/]+(\S+)/.exec(script) ?? []
  const [, kernel = ''] = /--name vmlinuz http:\/\/[^/]+(\S+)/.exec(script) ?? []
  for (const path of [kernel, stage1]) assert.equal((await ask(server.ports().http, path)).status, 200, path)
  const events = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/events')
  const audit = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/audit')
  const node = await askApi({ dataDir: server.dataDir }, 'GET', `/api/v1/nodes/${mac}`)
  for (const { body } of [events, audit, node]) assert.ok(!JSON.stringify(body).includes(ticket))
  assert.equal(await server.kill('SIGTERM'), 0)
  assert.ok(!server.stdout.includes(ticket) && !server.stderr.includes(ticket))
  for (const path of filesIn(place.data)) {
    const bytes = readFileSync(path)
    assert.ok(!bytes.includes(ticket) && !bytes.includes(Buffer.from(ticket, 'hex')), path)
  }
  const file = join(place.data, 'bootswarm.sqlite')
  const store = openStore({ file, nowMs: 0, log: { warn: assert.fail } })
  const [kept, ...others] = store.tickets.list()
  await store.close()
  assert.deepEqual(others, [])
  assert.ok(kept !== undefined)
  assert.equal(kept.sha256, createHash('sha256').update(ticket).digest('hex'))
  assert.deepEqual([kept.mac, kept.node, kept.owner], [mac, mac, '127.0.0.1'])
  // Stage 1 left a moment after the script.
  assert.ok(kept.expiresMs - kept.issuedMs < 20 * 60_000, JSON.stringify(kept))
})

test('tickets of one machine do not pile up: the last script’s is the one that is kept', async (t) => {
  const { place, server } = await siteWithStage1(t)
  const tickets = [await scriptOf(server), await scriptOf(server)].map(ticketIn)
  assert.equal(new Set(tickets).size, 2)
  assert.equal(await server.kill('SIGTERM'), 0)
  const store = openStore({
    file: join(place.data, 'bootswarm.sqlite'),
    nowMs: 0,
    log: { warn: assert.fail },
  })
  const kept = store.tickets.list().map(({ sha256 }) => sha256)
  await store.close()
  assert.deepEqual(kept, [
    createHash('sha256')
      .update(tickets[1] ?? '')
      .digest('hex'),
  ])
})
