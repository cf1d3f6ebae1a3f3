import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { hangMs } from '../../support/limits.js'
import { until } from '../catalog/support.js'
import { ask, codeOf, HttpBench, modifiedS, rest } from './support.js'

const run = promisify(execFile)
const bytes = randomBytes(1_000_003)

async function bench(t: TestContext, content = bytes): Promise<HttpBench> {
  const made = new HttpBench(content)
  t.after(() => made.end())
  return made
}
const artifact = (site: HttpBench) => `/v1/artifacts/${site.sha256}/${encodeURIComponent('base ä.tar.gz')}`

for (const secure of [true, false]) {
  const scheme = secure ? 'HTTPS' : 'HTTP'
  const path = (site: HttpBench) => (secure ? artifact(site) : `/v1/artifacts/${site.sha256}/vmlinuz`)

  test(`${scheme}: whole, parts, HEAD and validators`, async (t) => {
    const site = await bench(t)
    const { port } = await site.listen(secure)
    const get = (headers: Record<string, string> = {}, method = 'GET') =>
      ask(port, path(site), { method, headers, ca: secure ? site.identity?.caCertificate : undefined })
    const etag = `"${site.sha256}"`

    const whole = await get()
    assert.equal(whole.status, 200)
    assert.ok(whole.body.equals(bytes))
    assert.equal(whole.headers.etag, etag)
    assert.equal(whole.headers['accept-ranges'], 'bytes')
    assert.equal(whole.headers['last-modified'], new Date(modifiedS * 1000).toUTCString())

    const head = await get({}, 'HEAD')
    assert.equal(head.status, 200)
    assert.equal(head.headers['content-length'], String(bytes.length))
    assert.equal(head.headers.etag, etag)
    assert.equal(head.body.length, 0)
    // RFC 9110, 14.2: Range is for GET only.
    assert.equal((await get({ range: 'bytes=0-1' }, 'HEAD')).status, 200)

    const ranges: readonly [string, number, number][] = [
      ['bytes=0-0', 0, 1],
      ['bytes=262144-524287', 262_144, 524_288],
      ['bytes=1000000-', 1_000_000, bytes.length],
      ['bytes=-3', bytes.length - 3, bytes.length],
      ['bytes=5-99999999', 5, bytes.length],
    ]
    for (const [range, start, end] of ranges) {
      const part = await get({ range })
      assert.equal(part.status, 206, range)
      assert.ok(part.body.equals(bytes.subarray(start, end)), range)
      assert.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/${bytes.length}`)
      assert.equal(part.headers['content-length'], String(end - start))
      assert.equal(part.headers.etag, etag)
    }
    const beyond = await get({ range: `bytes=${bytes.length}-` })
    assert.equal(beyond.status, 416)
    assert.equal(beyond.headers['content-range'], `bytes */${bytes.length}`)
    assert.equal(codeOf(beyond), 'RANGE_INVALID')
    assert.equal((await get({ range: 'bytes=0-1,5-6' })).status, 200)

    assert.equal((await get({ range: 'bytes=0-1', 'if-range': etag })).status, 206)
    assert.equal((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status, 200)
    assert.equal((await get({ range: 'bytes=0-1', 'if-range': `W/${etag}` })).status, 200)
    const unchanged = await get({ 'if-none-match': etag })
    assert.equal(unchanged.status, 304)
    assert.equal(unchanged.headers.etag, etag)
    assert.equal(unchanged.body.length, 0)
    assert.equal((await get({ 'if-none-match': '"other"' })).status, 200)
    assert.equal((await get({ 'if-modified-since': whole.headers['last-modified'] ?? '' })).status, 304)
    assert.equal((await get({ 'if-match': '"other"' })).status, 412)
  })
}

test('curl resumes a broken download over HTTPS', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const ca = join(site.dir, 'trust', 'ca.pem')
  const out = join(site.dir, 'out')
  writeFileSync(out, bytes.subarray(0, 300_000))
  const url = `https://127.0.0.1:${port}${artifact(site)}`
  await run('curl', ['--silent', '--fail', '--cacert', ca, '-C', '-', '-o', out, url])
  assert.ok(readFileSync(out).equals(bytes))
})

test('artifacts need TLS, boot files do not; what is unknown is 404', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  const refused = await ask(port, artifact(site))
  assert.equal(refused.status, 403)
  assert.equal(codeOf(refused), 'TLS_REQUIRED')
  const boot = await ask(port, '/boot/vmlinuz')
  assert.equal(boot.status, 200)
  assert.ok(boot.body.equals(bytes))
  assert.equal((await ask(port, '/boot/vmlinuz', { headers: { range: 'bytes=1-2' } })).status, 206)
  for (const path of ['/boot/other', '/boot/..%2f..%2fetc%2fpasswd', '/boot/%2e%2e']) {
    assert.equal((await ask(port, path)).status, 404, path)
  }
  const { port: secure } = await site.listen(true)
  const ca = site.identity?.caCertificate
  for (const path of [
    `/v1/artifacts/${site.sha256}/other`,
    `/v1/artifacts/${'0'.repeat(64)}/x`,
    '/v1/artifacts/..%2f..%2fkeys%2fca.key/x',
  ]) {
    const answer = await ask(secure, path, { ca })
    assert.equal(answer.status, 404, path)
    assert.equal(codeOf(answer), 'ARTIFACT_NOT_FOUND')
  }
})

test('a copy that has gone from the disk is 404, without its path', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const answer = await ask(port, `/v1/artifacts/${'f'.repeat(64)}/x`, { ca: site.identity?.caCertificate })
  assert.equal(answer.status, 404)
  assert.equal(codeOf(answer), 'ARTIFACT_VANISHED')
  assert.ok(!answer.body.includes(site.dir))
})

test('too many streams: 503 with Retry-After, small parts still go, and a slot comes back at once', async (t) => {
  const site = await bench(t, randomBytes(32 << 20))
  const { port } = await site.listen(false, { streamsMax: 2 })
  const path = `/v1/artifacts/${site.sha256}/vmlinuz`
  // A client that reads nothing holds its slot.
  const idle = connect(port, '127.0.0.1')
  idle.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await new Promise((resolve) => idle.once('readable', resolve))
  for (let n = 0; n < 4; n += 1) {
    // Four quarters: one whole stream.
    assert.equal((await ask(port, path, { headers: { range: 'bytes=0-1023' } })).status, 206)
  }
  const second = connect(port, '127.0.0.1')
  second.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await new Promise((resolve) => second.once('readable', resolve))
  const busy = await ask(port, path)
  assert.equal(busy.status, 503)
  assert.equal(codeOf(busy), 'ORIGIN_BUSY')
  assert.match(busy.headers['retry-after'] ?? '', /^[1-9][0-9]*$/)
  assert.equal(busy.headers.etag, undefined)
  // HEAD and conditional requests cost no stream.
  assert.equal((await ask(port, path, { method: 'HEAD' })).status, 200)
  assert.equal((await ask(port, path, { headers: { 'if-none-match': `"${site.sha256}"` } })).status, 304)
  assert.equal((await ask(port, '/boot/vmlinuz', { headers: { range: 'bytes=0-0' } })).status, 206)
  second.destroy()
  let whole = busy
  while (whole.status === 503) whole = await ask(port, path)
  assert.equal(whole.status, 200)
  assert.ok(whole.body.equals(site.bytes))
  idle.destroy()
})

test('a client that does not read loses its slot', async (t) => {
  const site = await bench(t, randomBytes(32 << 20))
  const { port } = await site.listen(false, { slowWindowMs: 200 })
  const idle = connect(port, '127.0.0.1')
  idle.on('error', () => {})
  const closed = new Promise((resolve) => idle.once('close', resolve))
  idle.write(`GET /boot/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n`)
  // Nothing is read until the server has hung up; then the end shows.
  await until('the server gave up', () => site.servedBytes > 0)
  idle.resume()
  await closed
  assert.ok(site.servedBytes < site.bytes.length)
})

test('counts what it sent', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  await ask(port, '/boot/vmlinuz', { headers: { range: 'bytes=0-99' } })
  await until('counted', () => site.servedBytes === 100)
})

test('a file that vanishes while it is sent ends with all its bytes: the server holds it open', async (t) => {
  const site = await bench(t, randomBytes(32 << 20))
  const { port } = await site.listen(false)
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /boot/vmlinuz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  rmSync(join(site.dir, 'file'))
  const answer = await rest(socket)
  assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(site.bytes))
  assert.equal((await ask(port, '/boot/vmlinuz')).status, 404)
})

test('closing lets a running answer finish, and idle connections go', async (t) => {
  const site = await bench(t, randomBytes(32 << 20))
  const listener = await site.listen(false, { timeoutsMs: { close: hangMs } })
  const idle = connect(listener.port, '127.0.0.1')
  await new Promise((resolve) => idle.once('connect', resolve))
  const idleEnded = rest(idle)
  const socket = connect(listener.port, '127.0.0.1')
  socket.write('GET /boot/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  const closed = listener.close()
  const answer = await rest(socket)
  assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(site.bytes))
  await idleEnded
  await closed
})

test('closing does not wait for a client that reads nothing', async (t) => {
  const site = await bench(t, randomBytes(32 << 20))
  const listener = await site.listen(false)
  const socket = connect(listener.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /boot/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  await listener.close()
  socket.destroy()
})
