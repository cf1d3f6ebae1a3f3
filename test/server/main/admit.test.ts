/** Machines that operators hold back, on a real server: their scripts, manifests, and what lets them boot. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import { ask, codeOf } from '../http/support.js'
import { type Daemon, nonce, Site } from './support.js'

const mac = (n: number) => `52:54:00:00:00:0${n}`
const scriptOf = async (server: Daemon, id: string, tries = 0): Promise<string> => {
  const path = `/v1/ipxe/script/${id.replaceAll(':', '-')}?arch=x86_64&tries=${tries}`
  const answer = await ask(server.ports().http, path)
  assert.equal(answer.status, 200)
  return answer.body.toString()
}
/** That there is no kernel is said to those only that may boot. */
const waits = async (server: Daemon, id: string): Promise<boolean> => {
  const script = await scriptOf(server, id)
  assert.match(
    script,
    /no vmlinuz and stage1|waits for an operator to approve it: bootswarm node approve 52:54/,
  )
  return script.includes('waits for an operator')
}
const manifestCode = async (server: Daemon, id: string): Promise<string> =>
  codeOf(await server.https(`/v1/manifest?node=${id}&nonce=${nonce}`))

const api = async ({ dataDir }: Daemon, method: 'GET' | 'POST', path: string, body?: object) => {
  const answer = await askApi({ dataDir }, method, `/api/v1/nodes${path}`, body)
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}

test('approved: a machine that nobody named waits until an operator approves it, and may be sent back', async (t) => {
  const place = new Site(`admit: approved\nnodes: [{match: '${mac(1)}'}]`)
  t.after(() => place.end())
  let server = place.start()
  await server.line('server.ready')
  assert.deepEqual([await waits(server, mac(1)), await waits(server, mac(2))], [false, true])
  assert.equal(await manifestCode(server, mac(2)), 'NODE_NOT_ADMITTED')
  assert.equal(await manifestCode(server, mac(1)), 'CATALOG_EMPTY')
  // One line of the log for all its questions.
  await scriptOf(server, mac(2), 1)
  const refused = server.lines.filter(({ code }) => code === 'NODE_NOT_ADMITTED')
  assert.equal(refused.length, 1)
  const waiting = () => api(server, 'GET', '?cause=NOT_ADMITTED')
  await until('it to be listed', async () => ((await waiting()).total === 1 ? true : undefined))
  const [listed] = (await waiting()).nodes
  assert.deepEqual([listed.id, listed.approved], [mac(2), false])

  assert.equal((await api(server, 'POST', `/${mac(2)}/approve`, { approved: true })).approved, true)
  assert.equal(await waits(server, mac(2)), false)
  assert.equal(await manifestCode(server, mac(2)), 'CATALOG_EMPTY')
  // It stays so after a restart.
  await server.kill('SIGKILL')
  server = place.start()
  await server.line('server.ready')
  assert.equal(await waits(server, mac(2)), false)
  assert.equal((await api(server, 'POST', `/${mac(2)}/approve`, { approved: false })).approved, false)
  assert.equal(await waits(server, mac(2)), true)
  // Who is forgotten is approved no more.
  await api(server, 'POST', `/${mac(2)}/approve`, { approved: true })
  await api(server, 'POST', `/${mac(2)}/forget`)
  assert.equal(await waits(server, mac(2)), true)

  const audit = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/audit')
  assert.deepEqual(
    audit.body.lines.map(({ action, target }: Record<string, string>) => `${action} ${target}`),
    ['forgotten', 'approved', 'disapproved', 'approved'].map((what) => `node.${what} ${mac(2)}`),
  )
  // The configuration is read again: now all may.
  place.configure('')
  server.signal('SIGHUP')
  await server.line('server.reloaded')
  assert.deepEqual([await waits(server, mac(2)), await waits(server, mac(3))], [false, false])
})

test('known: what has booted before may boot again', async (t) => {
  const place = new Site('admit: known')
  t.after(() => place.end())
  const server = place.start()
  await server.line('server.ready')
  const boot = '00112233445566aa'
  const totals = { seconds: 1, from_peers_bytes: 1, from_origin_bytes: 1 }
  const events = [
    { boot, seq: 0, t_ms: 0, type: 'boot.started', data: { agent: '1.0', mem_total_bytes: 1e9 } },
    { boot, seq: 1, t_ms: 1, type: 'boot.completed', data: { ...totals, version: 1 } },
  ]
  assert.equal(await waits(server, mac(1)), true)
  assert.ok((await server.post(`/v1/nodes/${mac(1)}/events`, JSON.stringify(events))).status < 300)
  assert.deepEqual([await waits(server, mac(1)), await waits(server, mac(2))], [false, true])
})

test('a drained node does not boot, says why, and boots again when it is cleared', async (t) => {
  const place = new Site(`nodes: [{match: '${mac(1)}'}]`)
  t.after(() => place.end())
  let server = place.start()
  await server.line('server.ready')
  assert.match(await scriptOf(server, mac(1)), /no vmlinuz/)
  await until('it to be listed', async () => ((await api(server, 'GET', '')).total === 1 ? true : undefined))
  const body = { drained: true, reason: 'fan; broken' }
  assert.deepEqual((await api(server, 'POST', `/${mac(1)}/drain`, body)).drained, { reason: 'fan; broken' })
  await server.kill('SIGKILL')
  server = place.start()
  await server.line('server.ready')
  // What is one of iPXE's own signs is none in the text.
  const held = /an operator has drained it: fan_ broken: bootswarm node drain --clear 52:54:00:00:00:01\n/
  assert.match(await scriptOf(server, mac(1)), held)
  assert.equal(await manifestCode(server, mac(1)), 'NODE_DRAINED')
  await until('the cause', async () =>
    (await api(server, 'GET', '?cause=DRAINED')).total === 1 ? true : undefined,
  )
  assert.equal((await api(server, 'POST', `/${mac(1)}/drain`, { drained: false })).drained, null)
  assert.match(await scriptOf(server, mac(1)), /no vmlinuz/)
})
