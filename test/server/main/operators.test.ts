/** The operators' side of real servers: the Unix socket, the port, tokens, and every route of the API. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { OPENAPI_FILE } from '../../../scripts/openapi-docs.js'
import { type ApiClient, askApi, openApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import { ask, codeOf } from '../http/support.js'
import { type Daemon, Site } from './support.js'

const boot = '00112233445566aa'

function site(t: TestContext, extra = ''): Site {
  const made = new Site(extra)
  t.after(() => made.end())
  return made
}

async function started(place: Site): Promise<Daemon> {
  const server = place.start()
  await server.line('server.ready')
  return server
}

const local = ({ dataDir }: Daemon): ApiClient => ({ dataDir })

/** Makes a token over the socket. */
async function tokenOf(server: Daemon, role: string, name = ''): Promise<ApiClient & { id: string }> {
  const { status, body } = await askApi(local(server), 'POST', '/api/v1/tokens', { role, name })
  assert.equal(status, 200)
  return { dataDir: server.dataDir, port: server.ports().operators, token: body.token, id: body.id }
}

/** A node reports. */
async function report(server: Daemon, node: string, ...events: object[]): Promise<void> {
  const posted = events.map((event, seq) => ({ boot, seq, t_ms: seq * 100, ...event }))
  const answer = await server.post(`/v1/nodes/${node}/events`, JSON.stringify(posted))
  assert.ok(answer.status < 300, answer.body.toString())
}
const begun = { type: 'boot.started', data: { agent: '1.0', mem_total_bytes: 1e9 } }
const failed = { type: 'boot.failed', data: { code: 'MEMORY_SHORT', message: 'too little', retry_in_s: 5 } }

const code = ({ status, body }: { status: number; body: { code?: string } }) => [status, body.code]

test('on the Unix socket whoever may open it may do everything', async (t) => {
  const place = site(t, 'site: lab')
  const server = await started(place)
  const path = join(server.dataDir, 'operators.sock')
  assert.equal(lstatSync(path).mode & 0o777, 0o600)
  const { status, body } = await askApi(local(server), 'GET', '/api/v1/status')
  assert.equal(status, 200)
  assert.equal(body.site, 'lab')
  assert.equal(body.operators.url, `https://127.0.0.1:${server.ports().operators}`)
  const document = await askApi(local(server), 'GET', '/api/v1/openapi.json')
  assert.deepEqual(document.body, JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')))
  assert.deepEqual(code(await askApi(local(server), 'GET', '/api/v1/nothing')), [404, 'ROUTE_NOT_FOUND'])
  await askApi({ ...local(server), headers: { 'bootswarm-user': 'alice' } }, 'POST', '/api/v1/tokens', {
    role: 'view',
  })
  await askApi({ ...local(server), headers: { 'bootswarm-user': 'x y' } }, 'POST', '/api/v1/tokens', {
    role: 'view',
  })
  const { lines } = (await askApi(local(server), 'GET', '/api/v1/audit')).body
  assert.deepEqual(
    lines.map(({ who, address, action, detail }: Record<string, string>) => [who, address, action, detail]),
    [
      ['local', 'local', 'token.made', 'view'],
      ['local (alice)', 'local', 'token.made', 'view'],
    ],
  )
  assert.equal(await server.kill('SIGTERM'), 0)
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined)
})

test('the next server replaces the socket of one that was killed, and no other file', async (t) => {
  const place = site(t)
  const first = await started(place)
  const path = join(first.dataDir, 'operators.sock')
  await first.kill('SIGKILL')
  assert.ok(lstatSync(path).isSocket())
  const second = await started(place)
  assert.equal((await askApi(local(second), 'GET', '/api/v1/status')).status, 200)
  await second.kill('SIGTERM')
  writeFileSync(path, 'something else')
  const third = place.start()
  assert.equal(await third.exited, 1)
  assert.match(third.stderr, /DATA_DIR_UNUSABLE: .*operators\.sock/)
})

test('a data directory with a long path has a socket too', async (t) => {
  const place = new Site('', 'x'.repeat(120))
  t.after(() => place.end())
  const server = await started(place)
  assert.equal((await askApi(local(server), 'GET', '/api/v1/status')).status, 200)
})

test('the port wants a token whose role includes what is asked', async (t) => {
  const server = await started(site(t))
  const [view, operate, admin] = [
    await tokenOf(server, 'view'),
    await tokenOf(server, 'operate'),
    await tokenOf(server, 'admin'),
  ]
  const { token: _, ...nobody } = view
  const bare = await askApi(nobody, 'GET', '/api/v1/status')
  assert.deepEqual(code(bare), [401, 'TOKEN_MISSING'])
  assert.equal(bare.headers['www-authenticate'], 'Bearer')
  assert.equal((await askApi(nobody, 'GET', '/api/v1/openapi.json')).status, 200)
  await report(server, 'n1', begun)
  const asked: [string, string, unknown, ...number[]][] = [
    ['GET', '/api/v1/status', undefined, 200, 200, 200],
    ['GET', '/api/v1/nodes', undefined, 200, 200, 200],
    ['GET', '/api/v1/nodes/n1', undefined, 200, 200, 200],
    ['GET', '/api/v1/nodes/n1/events', undefined, 200, 200, 200],
    ['GET', '/api/v1/nodes/n1/why', undefined, 200, 200, 200],
    ['GET', '/api/v1/nodes/n1/config', undefined, 200, 200, 200],
    ['GET', '/api/v1/events?source=operator', undefined, 403, 403, 200],
    ['GET', '/api/v1/events/stream?source=operator', undefined, 403, 403],
    ['GET', '/api/v1/events', undefined, 200, 200, 200],
    ['POST', '/api/v1/nodes/n1/label', { label: 'x' }, 403, 200, 200],
    ['POST', '/api/v1/nodes/n1/next-boot', { next_boot: null }, 403, 200, 200],
    ['POST', '/api/v1/actions', { kind: 'wake', nodes: ['n1'], dry_run: true }, 403, 200, 200],
    ['GET', '/api/v1/actions', undefined, 200, 200, 200],
    ['GET', '/api/v1/actions/00000000', undefined, 404, 404, 404],
    ['POST', '/api/v1/actions/00000000/stop', undefined, 403, 404, 404],
    ['POST', '/api/v1/nodes/n1/forget', undefined, 403, 200, 404],
    ['GET', '/api/v1/tokens', undefined, 403, 403, 200],
    ['POST', '/api/v1/tokens', { role: 'view' }, 403, 403, 200],
    ['DELETE', '/api/v1/tokens/00000000', undefined, 403, 403, 404],
    ['GET', '/api/v1/audit', undefined, 403, 403, 200],
  ]
  for (const [method, path, body, ...statuses] of asked) {
    for (const [n, client] of [view, operate, admin].slice(0, statuses.length).entries()) {
      const answer = await askApi(client, method, path, body)
      assert.equal(
        answer.status,
        statuses[n],
        `${method} ${path} as the ${n}. role: ${JSON.stringify(answer.body)}`,
      )
      assert.equal(answer.headers['www-authenticate'], undefined)
      if (answer.status === 403) assert.equal(answer.body.code, 'ROLE_TOO_LOW')
    }
  }
  assert.deepEqual(code(await askApi(nobody, 'GET', '/api/v1/events/stream')), [401, 'TOKEN_MISSING'])
})

test('nodes’ ports have no operators’ API, and the operators’ port nothing for nodes', async (t) => {
  const server = await started(site(t))
  const { token } = await tokenOf(server, 'admin')
  const headers = { authorization: `Bearer ${token}` }
  assert.equal(codeOf(await server.https('/api/v1/status', headers)), 'ROUTE_NOT_FOUND')
  assert.equal(codeOf(await ask(server.ports().http, '/api/v1/status', { headers })), 'ROUTE_NOT_FOUND')
  const ca = readFileSync(join(server.dataDir, 'trust', 'ca.pem'), 'utf8')
  for (const path of [
    '/v1/status',
    '/v1/manifest?node=a',
    '/healthz',
    '/announce',
    '/boot/vmlinuz',
    '/v1/ipxe/script/x',
  ])
    assert.equal(codeOf(await ask(server.ports().operators, path, { ca, headers })), 'ROUTE_NOT_FOUND', path)
})

test('wrong tokens of an address are limited, right ones and other addresses are not', async (t) => {
  const server = await started(site(t))
  const right = await tokenOf(server, 'view')
  const wrong = { ...right, token: `bsw_${right.id}_${'A'.repeat(43)}` }
  let tries = 0
  const last = await until('a refusal', async () => {
    const answer = await askApi(wrong, 'GET', '/api/v1/status')
    if (answer.status === 429) return answer
    assert.deepEqual(code(answer), [401, 'TOKEN_INVALID'])
    tries += 1
    return undefined
  })
  assert.ok(tries >= 10)
  assert.equal(last.body.code, 'TOKEN_TRIES_TOO_MANY')
  assert.equal(last.headers['retry-after'], '6')
  assert.equal((await askApi(right, 'GET', '/api/v1/status')).status, 200)
  const elsewhere = await askApi({ ...wrong, localAddress: '127.0.0.2' }, 'GET', '/api/v1/status')
  assert.deepEqual(code(elsewhere), [401, 'TOKEN_INVALID'])
  await server.line('operators.token-refused')
  assert.ok(!server.stdout.includes(wrong.token))
})

test('a revoked token lets nobody in, ends its streams, and no secret is on the disk', async (t) => {
  const place = site(t)
  const server = await started(place)
  const token = await tokenOf(server, 'admin', 'laptop')
  const stream = await openApi(token, 'GET', '/api/v1/events/stream')
  assert.equal(stream.statusCode, 200)
  stream.resume()
  const ended = once(stream, 'end')
  const revoked = await askApi(token, 'DELETE', `/api/v1/tokens/${token.id}`)
  assert.equal(revoked.status, 200)
  await ended
  assert.deepEqual(code(await askApi(token, 'GET', '/api/v1/status')), [401, 'TOKEN_INVALID'])
  assert.deepEqual(code(await askApi(local(server), 'DELETE', `/api/v1/tokens/${token.id}`)), [
    404,
    'TOKEN_UNKNOWN',
  ])
  await server.kill('SIGKILL')
  const again = await started(place)
  const { tokens } = (await askApi(local(again), 'GET', '/api/v1/tokens')).body
  assert.deepEqual(tokens, [revoked.body])
  const { lines } = (await askApi(local(again), 'GET', '/api/v1/audit')).body
  assert.deepEqual(
    lines.map(({ who, action, target }: Record<string, string>) => [who, action, target]),
    [
      [`token ${token.id} (laptop)`, 'token.revoked', token.id],
      ['local', 'token.made', token.id],
    ],
  )
  await again.kill('SIGTERM')
  const secret = token.token?.slice(13) ?? ''
  assert.equal(secret.length, 43)
  for (const name of readdirSync(place.data).filter((file) => file.startsWith('bootswarm.sqlite')))
    assert.ok(!readFileSync(join(place.data, name), 'latin1').includes(secret), name)
})

test('nodes are listed page by page, labelled and forgotten', async (t) => {
  const place = site(t, 'racks: [{name: r1, nodes: "rig[001-003]"}]')
  const server = await started(place)
  for (const id of ['rig001', 'rig002', 'rig003']) await report(server, id, begun)
  await report(server, 'other', begun, failed)
  const list = async (query: string, from = server) => {
    const { status, body } = await askApi(local(from), 'GET', `/api/v1/nodes?${query}`)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const idsOf = (page: { nodes: { id: string }[] }) => page.nodes.map(({ id }) => id)
  assert.deepEqual(idsOf(await list('rack=r1&sort=-id')), ['rig003', 'rig002', 'rig001'])
  const first = await list('limit=2')
  assert.deepEqual([idsOf(first), first.total], [['other', 'rig001'], 4])
  assert.deepEqual(idsOf(await list(`limit=2&cursor=${first.next}`)), ['rig002', 'rig003'])
  const { nodes } = await list('state=failed')
  assert.deepEqual(nodes[0].failure, { code: 'MEMORY_SHORT', message: 'too little' })
  const label = (node: string, text: unknown) =>
    askApi(local(server), 'POST', `/api/v1/nodes/${node}/label`, { label: text })
  assert.equal((await label('rig002', ' fan broken ')).body.label, 'fan broken')
  assert.deepEqual(code(await label('nobody', 'x')), [404, 'NODE_UNKNOWN'])
  for (const wrong of ['x'.repeat(65), 'a\nb', 'a\u202eb', 5, null])
    assert.deepEqual(code(await label('rig001', wrong)), [400, 'REQUEST_INVALID'], String(wrong))
  assert.deepEqual(idsOf(await list('text=FAN')), ['rig002'])
  await label('rig001', 'soon gone')
  const forgotten = await askApi(local(server), 'POST', '/api/v1/nodes/rig001/forget')
  assert.equal(forgotten.body.id, 'rig001')
  assert.deepEqual(code(await askApi(local(server), 'GET', '/api/v1/nodes/rig001')), [404, 'NODE_UNKNOWN'])
  assert.deepEqual(code(await askApi(local(server), 'GET', '/api/v1/nodes/rig001/events')), [
    404,
    'NODE_UNKNOWN',
  ])
  await server.kill('SIGKILL')
  const again = await started(place)
  assert.deepEqual(idsOf(await list('', again)), ['other', 'rig002', 'rig003'])
  assert.equal((await askApi(local(again), 'GET', '/api/v1/nodes/rig002')).body.label, 'fan broken')
  // It is a new node when it comes back.
  await report(again, 'rig001', begun)
  const { body } = await askApi(local(again), 'GET', '/api/v1/nodes/rig001')
  assert.equal(body.label, '')
  const events = (await askApi(local(again), 'GET', '/api/v1/nodes/rig001/events')).body.events
  assert.equal(events.length, 1)
})

/** Asks for the boot script of a machine, as its iPXE does. */
async function askScript(server: Daemon, mac: string): Promise<void> {
  const answer = await ask(server.ports().http, `/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`)
  assert.equal(answer.status, 200)
}
const mac = (n: number) => `52:54:00:00:00:0${n}`

test('events are read page by page, and followed as they come', async (t) => {
  const server = await started(site(t))
  await report(server, 'a', begun, failed)
  await report(server, 'b', begun)
  const page = async (path: string) => {
    const answer = await askApi(local(server), 'GET', path)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }
  const { events, next } = await page('/api/v1/events?source=agent')
  assert.deepEqual(
    events.map(({ node, type }: Record<string, unknown>) => [node, type]),
    [
      ['a', 'boot.started'],
      ['a', 'boot.failed'],
      ['b', 'boot.started'],
    ],
  )
  // The server's own events have numbers too.
  const [begunId, failedId, lastId] = events.map(({ id }: { id: number }) => id)
  assert.ok(begunId < failedId && failedId < lastId)
  assert.deepEqual([events[1].data, events[1].t_ms, next], [failed.data, 100, lastId])
  const ids = async (path: string) => (await page(path)).events.map(({ id }: { id: number }) => id)
  assert.deepEqual(await ids('/api/v1/events?limit=1'), [lastId])
  assert.deepEqual(await ids('/api/v1/events?source=agent&after=0&limit=2'), [begunId, failedId])
  assert.deepEqual(await ids(`/api/v1/events?after=${lastId}`), [])
  assert.deepEqual(await ids(`/api/v1/events?source=agent&before=${lastId}&limit=1`), [failedId])
  assert.deepEqual(await ids('/api/v1/events?type=boot.failed,boot.completed'), [failedId])
  assert.deepEqual(await ids(`/api/v1/events?node=a&boot=${boot}&source=agent`), [begunId, failedId])
  assert.deepEqual(await ids('/api/v1/events?source=agent&since_ms=0'), [begunId, failedId, lastId])
  assert.deepEqual(await ids(`/api/v1/events?since_ms=${Date.now() + 3_600_000}`), [])
  assert.deepEqual(await ids(`/api/v1/nodes/a/events?after=${begunId}`), [failedId])
  assert.deepEqual(await ids('/api/v1/nodes/a/events?limit=1'), [failedId])
  // Backwards from the newest, one at a time, to the start of the server and the beginning.
  const types: string[] = []
  for (let before: number | null = next + 1; before !== null; ) {
    const one = await page(`/api/v1/events?limit=1&before=${before}`)
    types.unshift(...one.events.map(({ type }: { type: string }) => type))
    before = one.previous
  }
  const reported = ['boot.started', 'boot.failed', 'boot.started']
  assert.deepEqual(types, ['server.started', ...reported])

  const stream = async (query: string, after?: number) => {
    const client = {
      ...local(server),
      ...(after === undefined ? {} : { headers: { 'last-event-id': `${after}` } }),
    }
    return readStream(await openApi(client, 'GET', `/api/v1/events/stream${query}`))
  }
  const live = await stream('')
  const ofB = await stream('?nodes=b,c&after=0')
  const again = await stream('?after=0', failedId)
  const refusals = await stream('?type=boot.failed&since_ms=0')
  await until('what there is', async () =>
    again.length === 1 && ofB.length === 1 && refusals.length === 1 ? true : undefined,
  )
  await report(server, 'c', begun)
  await report(server, 'd', begun, failed)
  await until('what comes', async () =>
    again.length === 4 && live.length === 3 && ofB.length === 2 && refusals.length === 2 ? true : undefined,
  )
  const [ofC, ofD, failedD] = await ids(`/api/v1/events?after=${lastId}`)
  assert.deepEqual(
    [again, live, ofB, refusals],
    [
      [lastId, ofC, ofD, failedD],
      [ofC, ofD, failedD],
      [lastId, ofC],
      [failedId, failedD],
    ],
  )
})

test('machines that are no nodes are listed and explained, and become nodes', async (t) => {
  const place = site(t, `nodes: [{match: '${mac(1)}', hostname: rig001}]\nracks: [{name: r1, nodes: rig001}]`)
  const server = await started(place)
  const get = async (path: string, from = server) => {
    const answer = await askApi(local(from), 'GET', `/api/v1${path}`)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }
  const list = async (query: string, from = server) =>
    (await get(`/nodes?${query}`, from)).nodes.map(
      ({ id, hostname, state, cause }: Record<string, string>) => [...[id, hostname, state, cause]],
    )
  // No kernel is there: each is refused its script.
  await askScript(server, mac(1))
  await askScript(server, mac(2))
  const both = [
    [mac(1), 'rig001', 'script', 'SCRIPT_REFUSED'],
    [mac(2), 'node-525400000002', 'script', 'SCRIPT_REFUSED'],
  ]
  // Facts are written a moment later.
  await until('both', async () => ((await list('cause=SCRIPT_REFUSED')).length === 2 ? true : undefined))
  assert.deepEqual(await list(''), both)
  assert.deepEqual(await list('state=script,failed&nodes=5254.0000.0002'), [both[1]])
  assert.deepEqual(await list('nodes=rig001'), [both[0]])
  assert.deepEqual(await list('cause=BOOTED'), [])
  assert.equal((await get('/status')).nodes.script, 2)
  const why = await get(`/nodes/52-54-00-00-00-01/why`)
  assert.deepEqual(
    [why.id, why.mac, why.state, why.cause, why.page],
    [mac(1), mac(1), 'script', 'SCRIPT_REFUSED', 'docs/troubleshooting.md#script_refused'],
  )
  assert.match(why.text, /BOOT_FILES_MISSING/)
  assert.equal(why.last.type, 'script.refused')
  assert.deepEqual(
    why.phases.map(({ phase, ended_ms: endedMs }: Record<string, unknown>) => [phase, endedMs]),
    [['queue', null]],
  )
  const typesOf = async (path: string, from = server) =>
    (await get(path, from)).events.map(({ source, type }: Record<string, string>) => `${source} ${type}`)
  const asked = ['http script.asked', 'http script.refused']
  assert.deepEqual(await typesOf(`/nodes/${mac(1)}/events`), asked)
  assert.deepEqual(await typesOf('/events?mac=525400000002'), asked)
  assert.deepEqual(await typesOf(`/events?boot=${why.boot}&type=script.refused`), [asked[1]])
  assert.deepEqual(await typesOf('/events?source=http&limit=1'), [asked[1]])
  assert.deepEqual(await typesOf('/events?source=dhcp,tftp'), [])
  const label = await askApi(local(server), 'POST', `/api/v1/nodes/${mac(1)}/label`, { label: 'new' })
  assert.equal(label.body.label, 'new')

  // The first one's agent comes: it is a node, with all that was seen of it before.
  await report(server, mac(1), begun, failed)
  const node = await get(`/nodes/${mac(1)}`)
  assert.deepEqual([node.state, node.cause, node.label, node.boot], ['failed', 'AGENT_FAILED', 'new', boot])
  assert.deepEqual(await typesOf(`/nodes/${mac(1)}/events`), [
    ...asked,
    'server machine.identified',
    'agent boot.started',
    'agent boot.failed',
  ])
  // It is switched off and on: it stands in network boot again, and so it does after a restart of the server.
  const answer = await ask(server.ports().http, `/v1/ipxe/script/${mac(1).replaceAll(':', '-')}`)
  assert.equal(answer.status, 200)
  const again = [
    [mac(1), 'rig001', 'script', 'UNDER_WAY'],
    [mac(2), 'node-525400000002', 'script', 'SCRIPT_REFUSED'],
  ]
  const whole = async (from: Daemon) => JSON.stringify(await list('', from)) === JSON.stringify(again)
  await until('the next boot', async () => ((await whole(server)) ? true : undefined))
  const before = await get(`/nodes/${mac(1)}/why`)
  await server.kill('SIGKILL')
  const next = await started(place)
  assert.deepEqual(await list('', next), again)
  assert.equal((await get(`/nodes/${mac(1)}/why`, next)).boot, before.boot)
  // Forgotten, they are gone, and stay so.
  for (const id of [mac(1), mac(2)])
    assert.equal((await askApi(local(next), 'POST', `/api/v1/nodes/${id}/forget`)).status, 200)
  assert.deepEqual(await list('', next), [])
  assert.deepEqual(await typesOf(`/events?mac=${mac(2)}`, next), [])
  await next.kill('SIGKILL')
  const third = await started(place)
  assert.deepEqual(await list('', third), [])
})

test('what the running configuration gives to a node, and which lines do, before and after it is read again', async (t) => {
  const text = (args: string) =>
    [
      'profiles:',
      '  gpu: {kernel_args: quiet, settings: {POOL: a}}',
      'nodes:',
      `  - {match: rig001, profile: gpu, hostname: gpu-1, settings: {POOL: b}${args}}`,
    ].join('\n')
  const place = site(t, text(''))
  const server = await started(place)
  await report(server, 'rig001', begun)
  const get = async () => {
    const { status, body } = await askApi(local(server), 'GET', '/api/v1/nodes/rig001/config')
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const lineOf = (part: string) => {
    const lines = readFileSync(place.config, 'utf8').split('\n')
    return lines.findIndex((line) => line.includes(part)) + 1
  }
  const first = await get()
  assert.deepEqual([first.id, first.named, first.profiles], ['rig001', true, ['gpu']])
  const at = (value: { place: string }) => value.place.split(':').slice(-2)[0]
  assert.deepEqual([first.hostname.value, at(first.hostname)], ['gpu-1', String(lineOf('match: rig001'))])
  const { POOL: pool } = first.settings
  assert.deepEqual(
    [pool.value, pool.by, pool.over[0].value, pool.over[0].by],
    ['b', 'node', 'a', 'profile gpu (node)'],
  )
  assert.match(pool.place, /site\.yaml:\d+:\d+$/)
  assert.equal(at(pool.over[0]), String(lineOf('gpu: {')))
  assert.deepEqual([first.root.value, first.root.place], ['tmpfs', ''])
  assert.equal(first.kernel_command_line, 'quiet')
  // Another file is asked for, a line lower.
  place.configure(`# rigs\n${text(', kernel_args: nomodeset')}`)
  server.signal('SIGHUP')
  await server.line('server.reloaded')
  const next = await get()
  assert.equal(next.kernel_command_line, 'quiet nomodeset')
  assert.equal(at(next.hostname), String(lineOf('match: rig001')))
  assert.notEqual(at(next.hostname), at(first.hostname))
})

test('what operators do is on the timeline, for admins, and never a token', async (t) => {
  const server = await started(site(t))
  const [view, admin] = [await tokenOf(server, 'view', 'wall'), await tokenOf(server, 'admin')]
  await report(server, 'a', begun)
  const [seen, all] = await Promise.all(
    [view, admin].map(async (client) =>
      readStream(await openApi(client, 'GET', '/api/v1/events/stream?after=0')),
    ),
  )
  await askApi(admin, 'POST', '/api/v1/nodes/a/label', { label: 'fan broken' })
  await askApi(admin, 'DELETE', `/api/v1/tokens/${view.id}`)
  const last = await tokenOf(server, 'view')
  await askApi(admin, 'POST', '/api/v1/nodes/a/forget')
  const { events } = (await askApi(admin, 'GET', '/api/v1/events?source=operator')).body
  const said = events.map(({ type, data }: { type: string; data: Record<string, string> }) => [
    ...[type, data.target, data.detail],
  ])
  assert.deepEqual(said, [
    ['token.made', view.id, 'view, wall'],
    ['token.made', admin.id, 'admin'],
    ['node.labelled', 'a', 'fan broken'],
    ['token.revoked', view.id, 'wall'],
    ['token.made', last.id, 'view'],
    ['node.forgotten', 'a', ''],
  ])
  const { lines } = (await askApi(admin, 'GET', '/api/v1/audit')).body
  const ids = (list: { id: number }[]) => list.map(({ id }) => id)
  assert.deepEqual(ids(lines), ids(events).reverse(), 'they are the audit trail')
  await until('those of the operators', async () => (all?.includes(lines[0].id) ? true : undefined))
  const others = (await askApi(last, 'GET', '/api/v1/events')).body.events as { id: number; source: string }[]
  assert.deepEqual([...new Set(others.map(({ source }) => source))], ['server'])
  assert.ok(!ids(events).some((id) => seen?.includes(id)))
  const text = JSON.stringify((await askApi(admin, 'GET', '/api/v1/events')).body)
  for (const { token = '' } of [view, admin, last]) assert.ok(!text.includes(token.slice(13)))
})

test('whom nobody has heard of there is no reason for', async (t) => {
  const server = await started(site(t))
  for (const path of [
    '/nodes/nobody',
    `/nodes/${mac(9)}`,
    '/nodes/nobody/why',
    '/nodes/nobody/config',
    `/nodes/${mac(9)}/why`,
    '/nodes/x/events',
  ])
    assert.deepEqual(code(await askApi(local(server), 'GET', `/api/v1${path}`)), [404, 'NODE_UNKNOWN'], path)
  assert.deepEqual(code(await askApi(local(server), 'POST', `/api/v1/nodes/${mac(9)}/forget`)), [
    404,
    'NODE_UNKNOWN',
  ])
})

test('what is malformed is refused with its code', async (t) => {
  const server = await started(site(t))
  for (const path of [
    '/api/v1/nodes?limit=x',
    '/api/v1/nodes?limit=1&limit=2',
    '/api/v1/nodes?unknown=1',
    '/api/v1/nodes?nodes=rig[1',
    '/api/v1/nodes?cursor=x',
    '/api/v1/nodes/-',
    '/api/v1/events?after=-1',
    '/api/v1/events?after=1e99',
    '/api/v1/events?before=0',
    '/api/v1/events?before=5&after=1',
    '/api/v1/events?before=5&since_ms=1',
    '/api/v1/events?since_ms=yesterday',
    '/api/v1/events?mac=52:54',
    '/api/v1/events?mac=rig001',
    '/api/v1/events?boot=1',
    '/api/v1/events?source=moon',
    '/api/v1/events?source=',
    '/api/v1/events?type=A%20B',
    '/api/v1/events?node=-',
    '/api/v1/events/stream?source=moon',
    '/api/v1/nodes/-/why',
    '/api/v1/nodes?state=broken',
    '/api/v1/nodes?cause=broken',
    '/api/v1/events/stream?nodes=rig[1',
    '/api/v1/audit?before=0',
  ])
    assert.deepEqual(code(await askApi(local(server), 'GET', path)), [400, 'REQUEST_INVALID'], path)
  const { body } = await askApi(local(server), 'GET', '/api/v1/nodes?limit=2000')
  assert.match(body.message, /limit/)
  for (const [text, status] of [
    ['{', 400],
    ['[]', 400],
    ['{"role":"root"}', 400],
    ['{"role":"view","x":1}', 400],
    ['{"role":"view","__proto__":{"a":1}}', 400],
    [JSON.stringify({ role: 'view', name: 'x'.repeat(70_000) }), 413],
  ] as const) {
    const answer = await openApi(local(server), 'POST', '/api/v1/tokens', text)
    assert.equal(answer.statusCode, status, text.slice(0, 50))
    answer.resume()
  }
  assert.equal((await askApi(local(server), 'GET', '/api/v1/tokens')).body.tokens.length, 0)
})

test('without the port there is the socket', async (t) => {
  const server = await started(site(t, 'operators: {enabled: false}'))
  assert.equal(server.ports().operators, 0)
  const { body } = await askApi(local(server), 'GET', '/api/v1/status')
  assert.equal(body.operators.url, '')
  assert.ok(!server.lines.some(({ event }) => event === 'operators.no-token'))
})

test('the first start at a terminal prints a token for everything, once', async (t) => {
  const place = site(t)
  const main = [...place.command]
  place.command = ['python3', '-c', 'import pty, sys; pty.spawn(sys.argv[1:])', ...main]
  const first = place.start()
  const { msg } = await first.said((line) => /^bsw_/.test(line.msg), 'a token')
  const token = msg.trim()
  const client = { dataDir: first.dataDir, port: first.ports().operators, token }
  const { body } = await askApi(client, 'GET', '/api/v1/tokens')
  assert.deepEqual(
    body.tokens.map(({ role, name }: Record<string, string>) => [role, name]),
    [['admin', 'first start']],
  )
  process.kill(first.ports().pid, 'SIGTERM')
  await first.exited
  const second = place.start()
  await second.said((line) => /READY/.test(line.msg), 'READY')
  const elsewhere = { ...client, port: second.ports().operators }
  assert.equal((await askApi(elsewhere, 'GET', '/api/v1/status')).status, 200)
  process.kill(second.ports().pid, 'SIGTERM')
  await second.exited
  assert.ok(!second.stdout.includes('bsw_'))
})

test('where nobody reads along no token is made, and the log says how to make one', async (t) => {
  const server = await started(site(t))
  const { remedy = '' } = await server.line('operators.no-token')
  assert.match(remedy, /token new --role admin$/)
  assert.deepEqual((await askApi(local(server), 'GET', '/api/v1/tokens')).body.tokens, [])
  assert.ok(!server.stdout.includes('bsw_'))
})

/** The ids of the events of a stream, as they come. */
function readStream(response: IncomingMessage): number[] {
  assert.equal(response.headers['content-type'], 'text/event-stream')
  const ids: number[] = []
  let text = ''
  response.on('error', () => {})
  response.on('data', (part: Buffer) => {
    text += part.toString()
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('id: ')) ids.push(Number(line.slice(4)))
  })
  return ids
}
