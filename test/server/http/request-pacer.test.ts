/** Clients that send more than one request before they read an answer, in front of a real listener. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { randomFrom } from '../../fuzz.js'
import { until } from '../catalog/support.js'
import { ask, HttpBench, openFiles, rest } from './support.js'

/** More than the system takes for a client that does not read. */
const bigBytes = 32 << 20

async function bench(t: TestContext, content = Buffer.from('content')): Promise<HttpBench> {
  const made = new HttpBench(content)
  t.after(() => made.end())
  return made
}

function open(
  t: TestContext,
  site: HttpBench,
  port: number,
  secure: boolean,
  localAddress = '127.0.0.1',
): Socket {
  const target = { port, host: '127.0.0.1', localAddress }
  const socket = secure ? connectTls({ ...target, ca: site.identity?.caCertificate }) : connect(target)
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  return socket
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

for (const secure of [false, true]) {
  const scheme = secure ? 'HTTPS' : 'HTTP'

  test(`${scheme}: a client that does not read holds one file open, however much it asks for`, async (t) => {
    const site = await bench(t, randomBytes(bigBytes))
    const { port } = await site.listen(secure)
    const socket = open(t, site, port, secure)
    socket.write(get('/boot/vmlinuz').repeat(50))
    await once(socket, 'readable')
    // What was sent before has been read when others are answered.
    const ca = secure ? site.identity?.caCertificate : undefined
    for (let round = 0; round < 3; round += 1) await ask(port, '/healthz', { ca })
    assert.equal(openFiles(site), 1)
    socket.destroy()
    await until('the file is closed', () => openFiles(site) === 0)
  })

  test(`${scheme}: requests that were sent ahead are answered in order, each after the one before`, async (t) => {
    const site = await bench(t, randomBytes(300_000))
    const { port } = await site.listen(secure)
    const socket = open(t, site, port, secure)
    const last = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    socket.write(`${get('/boot/vmlinuz').repeat(20)}${last}`)
    const answer = await rest(socket)
    let at = 0
    for (let n = 0; n < 20; n += 1) {
      const body = answer.indexOf('\r\n\r\n', at) + 4
      assert.ok(answer.subarray(body, body + site.bytes.length).equals(site.bytes), `answer ${n}`)
      at = body + site.bytes.length
    }
    assert.match(answer.subarray(at).toString(), /^HTTP\/1\.1 200 OK[\s\S]*"ok":true/)
  })
}

test('a client that sends more ahead than clients do is disconnected', async (t) => {
  const site = await bench(t, randomBytes(bigBytes))
  const { port } = await site.listen(false)
  const socket = open(t, site, port, false)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(get('/boot/vmlinuz').repeat(20_000))
  socket.once('readable', () => socket.resume())
  await closed
  await until('the file is closed', () => openFiles(site) === 0)
})

test('slots of artifacts come back from clients that ask ahead and hang up', async (t) => {
  const site = await bench(t, randomBytes(bigBytes))
  const { port } = await site.listen(true)
  const path = `/v1/artifacts/${site.sha256}/${encodeURIComponent('base ä.tar.gz')}`
  for (const localAddress of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']) {
    const socket = open(t, site, port, true, localAddress)
    socket.write(get(path).repeat(6))
    await once(socket, 'readable')
    socket.destroy()
  }
  await until('all slots are free', () => site.slots.active === 0)
  const { status } = await ask(port, path, { ca: site.identity?.caCertificate })
  assert.equal(status, 200)
})

test('bodies, empty lines, expectations and old versions of HTTP', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(true)
  const socket = open(t, site, port, true)
  const body = '\n\n[]'
  const post = `POST /v1/nodes/aa/events HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n`
  socket.write(`\r\n\r\n${post}\r\n${body}\r\n${post}Expect: 100-continue\r\n\r\n${body}`)
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: nothing\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n')
  const answer = (await rest(socket)).toString()
  assert.deepEqual(
    [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['204', '100', '204', '200', '200'],
  )
  assert.equal(site.events.length, 2)
})

test('what the server does not read is refused, and the connection with it', async (t) => {
  const site = await bench(t)
  const { port } = await site.listen(false)
  const answers: readonly [request: string, status: string][] = [
    ['GET /healthz HTTP/1.1\r\n\r\n', '400'],
    ['POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '411'],
    ['POST /x/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n', '413'],
    ['GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', '400'],
    ['GET /healthz\r\n\r\n', '400'],
  ]
  for (const [request, status] of answers) {
    const socket = open(t, site, port, false)
    socket.write(`${request}${get('/healthz').repeat(3)}`)
    const answer = (await rest(socket)).toString()
    assert.deepEqual(
      [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, text]) => text),
      [status],
      request,
    )
  }
})

test('however a client cuts what it sends, the answers are the same', async (t) => {
  const site = await bench(t, randomBytes(50_000))
  const { port } = await site.listen(true)
  const parts = [
    get('/healthz'),
    get('/boot/vmlinuz'),
    'POST /v1/nodes/aa/events HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n[]',
    'HEAD /boot/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /none HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nGET / HTTP',
    '\n',
  ]
  const end = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = randomFrom(seed)
    const wanted = Array.from({ length: 8 }, () => parts[random(parts.length)] ?? '')
    const statuses = async (cut: boolean) => {
      const socket = open(t, site, port, true)
      const answer = rest(socket)
      const bytes = Buffer.from(`${wanted.join('')}${end}`, 'latin1')
      for (let at = 0; at < bytes.length; ) {
        const length = cut ? 1 + random(60) : bytes.length
        socket.write(bytes.subarray(at, at + length))
        at += length
        if (cut) await new Promise((resolve) => setImmediate(resolve))
      }
      return [...(await answer).toString('latin1').matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
    }
    assert.deepEqual(await statuses(true), await statuses(false), `seed ${seed}`)
  }
})
