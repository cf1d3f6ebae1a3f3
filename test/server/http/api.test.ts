import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { gunzipSync, inflateSync } from 'node:zlib'
import { BootswarmError } from '../../../src/errors.js'
import { MANIFEST_DICTIONARY } from '../../../src/manifest-coding.js'
import { hangMs } from '../../support/limits.js'
import { ask, codeOf, HttpBench, infohash, rest } from './support.js'

const nonce = '00112233445566778899aabbccddeeff'
const boot = '0011223344556677'

async function bench(t: TestContext): Promise<HttpBench> {
  const made = new HttpBench(Buffer.from('content'))
  t.after(() => made.end())
  return made
}

test('a manifest is made for the node, its nonce and the address it reached', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const answer = await ask(port, `/v1/manifest?node=52:54:00:00:00:01&nonce=${nonce}&boot=${boot}`, { ca })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['content-type'], 'application/vnd.bootswarm.manifest')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.body.toString(), 'manifest')
  const expected = {
    node: '52:54:00:00:00:01',
    nonce,
    boot,
    address: '127.0.0.1',
    serverAddress: '127.0.0.1',
    arch: undefined,
    proof: undefined,
  }
  assert.deepEqual(site.manifests, [expected])
})

test('a node says its architecture in the words of iPXE or of the agent; other words say nothing', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const queries = ['&arch=x86_64', '&arch=aarch64', '&arch=x86', '&arch=sparc', '&arch=arm64&arch=arm64', '']
  for (const query of queries) await ask(port, `/v1/manifest?node=n1&nonce=${nonce}${query}`, { ca })
  assert.deepEqual(
    site.manifests.map(({ arch }) => arch),
    ['x86_64', 'arm64', 'i386', undefined, undefined, undefined],
  )
})

test('a manifest goes compressed to who takes gzip, and without headers that no agent reads', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const path = `/v1/manifest?node=n1&nonce=${nonce}`
  for (const coding of ['gzip', 'br, gzip;q=0.5', 'GZIP; q=1.0']) {
    const answer = await ask(port, path, { ca, headers: { 'accept-encoding': coding } })
    assert.equal(answer.headers['content-encoding'], 'gzip', coding)
    assert.equal(gunzipSync(answer.body).toString(), 'manifest')
    assert.deepEqual(
      [answer.headers.date, answer.headers.connection, answer.headers['keep-alive']],
      [undefined, undefined, undefined],
    )
  }
  for (const coding of ['bw1, gzip', 'gzip, bw1;q=1.0']) {
    const answer = await ask(port, path, { ca, headers: { 'accept-encoding': coding } })
    const { date: _, ...headers } = answer.headers
    assert.deepEqual(Object.keys(headers).sort(), ['content-encoding', 'content-length'])
    assert.equal(headers['content-encoding'], 'bw1')
    assert.equal(inflateSync(answer.body, { dictionary: MANIFEST_DICTIONARY }).toString(), 'manifest')
  }
  for (const coding of ['identity', 'bw1;q=0', 'gzip;q=0', 'gzip;q=0.000', 'x-gzip-not', '']) {
    const answer = await ask(port, path, { ca, headers: { 'accept-encoding': coding } })
    assert.equal(answer.headers['content-encoding'], undefined, coding)
    assert.equal(answer.body.toString(), 'manifest')
  }
})

test('a node that says where it listens is introduced with its manifest', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const peerId = Buffer.from('-BW0001-abcdefghijkl').toString('hex')
  await ask(port, `/v1/manifest?node=n1&nonce=${nonce}&port=51413&peer_id=${peerId}`, { ca })
  assert.deepEqual(site.manifests[0]?.listening, { peerId, port: 51413 })
})

test('wrong manifest requests are refused by code', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const cases: readonly [string, number, string][] = [
    [`node=AA&nonce=${nonce}`, 400, 'NODE_ID_INVALID'],
    [`nonce=${nonce}`, 400, 'NODE_ID_INVALID'],
    [`node=${'a'.repeat(65)}&nonce=${nonce}`, 400, 'NODE_ID_INVALID'],
    [`node=a&node=b&nonce=${nonce}`, 400, 'NODE_ID_INVALID'],
    ['node=a', 400, 'MANIFEST_BAD_NONCE'],
    [`node=a&nonce=${nonce.toUpperCase()}`, 400, 'MANIFEST_BAD_NONCE'],
    [`node=a&nonce=${nonce.slice(1)}`, 400, 'MANIFEST_BAD_NONCE'],
    [`node=a&nonce=${nonce}&boot=1`, 400, 'REQUEST_INVALID'],
    [`node=a&nonce=${nonce}&port=1`, 400, 'REQUEST_INVALID'],
    [`node=a&nonce=${nonce}&peer_id=2d4257${'0'.repeat(34)}`, 400, 'REQUEST_INVALID'],
    ...['0', '65536', '1.5', '-1', '1&port=2'].map((value): [string, number, string] => [
      `node=a&nonce=${nonce}&peer_id=2d4257${'0'.repeat(34)}&port=${value}`,
      400,
      'REQUEST_INVALID',
    ]),
    [`node=a&nonce=${nonce}&port=1&peer_id=2d6c74${'0'.repeat(34)}`, 400, 'REQUEST_INVALID'],
  ]
  for (const [query, status, code] of cases) {
    const answer = await ask(port, `/v1/manifest?${query}`, { ca })
    assert.equal(answer.status, status, query)
    assert.equal(codeOf(answer), code, query)
  }
  site.empty = true
  const empty = await ask(port, `/v1/manifest?node=a&nonce=${nonce}`, { ca })
  assert.equal(empty.status, 503)
  assert.equal(codeOf(empty), 'CATALOG_EMPTY')
  assert.ok(Number(empty.headers['retry-after']) > 0)
})

test('over HTTP: no manifest, no events, the rest is there', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  for (const [path, method] of [
    [`/v1/manifest?node=a&nonce=${nonce}`, 'GET'],
    ['/v1/nodes/a/events', 'POST'],
  ] as const) {
    const answer = await ask(port, path, { method, body: method === 'POST' ? '[]' : '' })
    assert.equal(answer.status, 403)
    assert.equal(codeOf(answer), 'TLS_REQUIRED')
  }
  assert.equal((await ask(port, '/healthz')).body.toString(), '{"ok":true,"version":3}')
  assert.equal((await ask(port, '/v1/status')).status, 200)
  const torrent = await ask(port, `/v1/torrents/${infohash}.torrent`)
  assert.equal(torrent.headers['content-type'], 'application/x-bittorrent')
  assert.equal(torrent.body.toString(), 'torrent at 127.0.0.1')
  for (const path of [`/v1/torrents/${infohash}`, `/v1/torrents/${'0'.repeat(40)}.torrent`]) {
    assert.equal(codeOf(await ask(port, path)), 'ARTIFACT_NOT_FOUND')
  }
  const missing = await ask(port, '/nothing')
  assert.equal(missing.status, 404)
  assert.equal(codeOf(missing), 'ROUTE_NOT_FOUND')
})

test('over HTTP a node may say that it did not boot, and nothing else', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  const post = (body: unknown, id = 'rig-1') =>
    ask(port, `/v1/nodes/${id}/events`, { method: 'POST', body: JSON.stringify(body) })
  const failed = {
    boot,
    seq: 1,
    t_ms: 1,
    type: 'boot.failed',
    data: { code: 'TLS_FAILED', message: 'the clock says 2050', retry_in_s: 1 },
  }
  assert.equal((await post([failed])).status, 204)
  assert.deepEqual(site.unverified, [['rig-1', 'TLS_FAILED']])
  const started = { ...failed, type: 'boot.started', data: { agent: '0.1.0', mem_total_bytes: 1 } }
  const long = { ...failed, data: { ...failed.data, more: 'x'.repeat(400), most: 'x'.repeat(400) } }
  for (const body of [[], [started], [failed, failed], [started, failed]]) {
    assert.equal(codeOf(await post(body)), 'TLS_REQUIRED', JSON.stringify(body))
  }
  const padded = {
    ...long,
    data: { ...long.data, a: 'x'.repeat(400), b: 'x'.repeat(400), c: 'x'.repeat(400) },
  }
  assert.equal(codeOf(await post([padded])), 'TLS_REQUIRED', 'more than 2 KiB')
  assert.equal(codeOf(await post([{ ...failed, type: 'un known' }])), 'EVENTS_INVALID')
  assert.equal(codeOf(await post([{ ...failed, type: 'unknown' }])), 'TLS_REQUIRED', 'proves nothing')
  assert.equal(codeOf(await post([failed], 'UPPER')), 'NODE_ID_INVALID')
  assert.equal(site.unverified.length, 1)
  assert.deepEqual(site.events, [], 'nothing of it counts as an event')
})

test('events are taken in, or refused by code', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const post = (body: string, id = 'aa', type = 'application/json') =>
    ask(port, `/v1/nodes/${id}/events`, { ca, method: 'POST', body, headers: { 'content-type': type } })
  const event = { boot, seq: 0, t_ms: 1, type: 'boot.started', data: { agent: '0.1.0', mem_total_bytes: 1 } }
  const good = await post(JSON.stringify([event]), '52%3A54%3A00')
  assert.equal(good.status, 204)
  assert.deepEqual(site.events, [['52:54:00', [event]]])
  assert.equal((await post('[]', 'aa', 'text/plain')).status, 204)
  site.seedS = 900
  const told = await post('[]')
  assert.equal(told.status, 200)
  assert.equal(told.body.toString(), '{"seed_s":900}')
  assert.equal(told.headers['content-type'], undefined)
  site.events.pop()
  // Canonical, which agents insist on.
  site.wake = ['52:54:00:00:00:01']
  assert.equal((await post('[]')).body.toString(), '{"seed_s":900,"wake":["52:54:00:00:00:01"]}')
  site.events.pop()
  site.seedS = undefined
  assert.equal((await post('[]')).body.toString(), '{"wake":["52:54:00:00:00:01"]}')
  site.events.pop()
  for (const body of ['', '{', '{}', '[1]', JSON.stringify([{ ...event, type: 'un known' }])]) {
    const answer = await post(body)
    assert.equal(answer.status, 400, body)
    assert.equal(codeOf(answer), 'EVENTS_INVALID', body)
  }
  const large = await post(`[${' '.repeat(70_000)}]`)
  assert.equal(large.status, 413)
  assert.equal(codeOf(large), 'EVENTS_INVALID')
  assert.equal(codeOf(await post('[]', 'UPPER')), 'NODE_ID_INVALID')
  assert.equal(site.events.length, 2)
})

test('a report is answered when it is saved; one that cannot be is to be sent again', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const post = (body: string) => ask(port, '/v1/nodes/aa/events', { ca, method: 'POST', body })
  let save = () => {}
  site.saved = new Promise((resolve) => {
    save = resolve
  })
  let isAnswered = false
  const answer = post('[]').then((answer) => {
    isAnswered = true
    return answer
  })
  // Another request, begun later, is answered meanwhile.
  await ask(port, '/healthz', { ca })
  assert.ok(!isAnswered)
  save()
  assert.equal((await answer).status, 204)
  for (const [code, status] of [
    ['REPORTS_TOO_MANY', 429],
    ['REPORTS_NOT_SAVED', 503],
  ] as const) {
    site.refusal = new BootswarmError(code, 'not now', { retryAfterS: 7 })
    // It is refused before it is parsed.
    const refused = await post('{')
    assert.equal(refused.status, status)
    assert.equal(codeOf(refused), code)
    assert.equal(refused.headers['retry-after'], '7')
  }
  assert.deepEqual(site.reportBytes, [2, 1, 1])
  assert.equal(site.events.length, 1)
})

test('a failure inside says INTERNAL and nothing else; the log has the rest', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const answer = await ask(port, `/v1/manifest?node=broken&nonce=${nonce}`, {
    ca: site.identity?.caCertificate,
  })
  assert.equal(answer.status, 500)
  assert.equal(codeOf(answer), 'INTERNAL')
  assert.ok(!answer.body.includes(site.dir) && !answer.body.includes('secret'))
  assert.equal(site.errors.length, 1)
})

test('headers that trickle in are cut off, and so is a body', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false, { timeoutsMs: { header: 300, request: 600, check: 50 } })
  const headers = connect(port, '127.0.0.1')
  headers.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  const drip = setInterval(() => headers.writable && headers.write('a'), 50)
  const cut = (await rest(headers)).toString()
  clearInterval(drip)
  assert.match(cut, /^HTTP\/1\.1 408 .*"REQUEST_INVALID"/s)
  const body = connect(port, '127.0.0.1')
  body.write('POST /v1/nodes/a/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[')
  assert.match((await rest(body)).toString(), /^HTTP\/1\.1 4/)
})

test('who was told that he is too slow and sends on is disconnected', { timeout: hangMs }, async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false, { timeoutsMs: { header: 100, check: 50 } })
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  const drip = setInterval(() => client.writable && client.write('a'), 50)
  t.after(() => clearInterval(drip))
  assert.match((await rest(client)).toString(), /^HTTP\/1\.1 408 /)
})

test('what is no HTTP, or has too large a header, is told so and hung up on', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  const garbage = connect(port, '127.0.0.1')
  garbage.write('\x13BitTorrent protocol\r\n\r\n')
  assert.match((await rest(garbage)).toString(), /^HTTP\/1\.1 400 .*\{"code":"REQUEST_INVALID"/s)
  const large = connect(port, '127.0.0.1')
  large.write(`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`)
  assert.match((await rest(large)).toString(), /^HTTP\/1\.1 431 /)
  assert.equal((await ask(port, '/healthz')).status, 200)
})

test('TLS 1.3 only, and plain HTTP on the TLS port harms nobody', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate ?? ''
  const old = connectTls({ host: '127.0.0.1', port, ca, maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' })
  await assert.rejects(new Promise((resolve, reject) => old.on('secureConnect', resolve).on('error', reject)))
  const plain = connect(port, '127.0.0.1')
  plain.write('GET / HTTP/1.1\r\n\r\n')
  await rest(plain)
  const now = connectTls({ host: '127.0.0.1', port, ca })
  await new Promise((resolve, reject) => now.on('secureConnect', resolve).on('error', reject))
  assert.equal(now.getProtocol(), 'TLSv1.3')
  now.destroy()
})

test('500 nodes at once get their manifests', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = site.identity?.caCertificate
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => ask(port, `/v1/manifest?node=node-${n}&nonce=${nonce}`, { ca })),
  )
  assert.ok(answers.every(({ status }) => status === 200))
})

test('a taken port is named with what to do', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  await assert.rejects(site.listen(false, { port }), {
    code: 'ADDRESS_IN_USE',
    message: `TCP port ${port} on 127.0.0.1 is taken by another program: end it, or set http.port to a free one`,
  })
  await assert.rejects(site.listen(false, { host: '198.51.100.7' }), { code: 'ADDRESS_IN_USE' })
})
