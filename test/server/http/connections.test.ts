/** More clients than there is room for, greedy and honest ones, in front of real listeners. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { clientLimitNumbers } from '../../../server/http/client-limits.js'
import { until } from '../catalog/support.js'
import { ask, HttpBench, openFiles } from './support.js'

const max = 8

async function bench(t: TestContext, content: Buffer, secure: boolean) {
  const site = new HttpBench(content)
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await site.end()
  })
  const { port } = await site.listen(secure, { bounds: { connectionsMax: max } })
  const ca = secure ? site.identity?.caCertificate : undefined
  const closed = new Set<Socket>()
  const open = async (localAddress: string, begin = '', withTls = secure): Promise<Socket> => {
    const target = { port, host: '127.0.0.1', localAddress }
    const socket = withTls ? connectTls({ ...target, ca }) : connect(target)
    sockets.push(socket)
    socket.on('error', () => {}).on('close', () => closed.add(socket))
    await once(socket, withTls ? 'secureConnect' : 'connect')
    if (begin !== '') {
      socket.write(begin)
      await once(socket, 'readable')
    }
    return socket
  }
  const status = async (localAddress: string) => (await ask(port, '/healthz', { ca, localAddress })).status
  return { site, open, closed, status }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

for (const secure of [false, true]) {
  const scheme = secure ? 'HTTPS' : 'HTTP'

  test(`${scheme}: an address that holds all connections gives way to others`, async (t) => {
    const { site, open, closed, status } = await bench(t, Buffer.from('content'), secure)
    const silent: Socket[] = []
    // Without a word, over TLS too: the handshake has not begun.
    for (let n = 0; n < max; n += 1) silent.push(await open('127.0.0.1', '', false))
    assert.equal(await status('127.0.0.2'), 200)
    await until('the oldest is closed', () => closed.has(silent[0] as Socket))
    assert.ok(site.limits.connections.stats().open <= max)
    // Its own next one takes the place of its oldest: many nodes behind one address lose nothing.
    for (let n = 0; n < 2; n += 1) await open('127.0.0.1', '', false)
    assert.equal(await status('127.0.0.1'), 200)
  })

  test(`${scheme}: connections with an answer under way are kept, and idle ones closed`, async (t) => {
    const { site, open, closed, status } = await bench(t, randomBytes(32 << 20), secure)
    const busy: Socket[] = []
    const asks = [get('/boot/vmlinuz'), `${get('/healthz')}${get('/boot/vmlinuz')}`]
    for (let n = 0; n < max - 1; n += 1) busy.push(await open('127.0.0.1', asks[n % 2]))
    await until('all files are sent', () => openFiles(site) === max - 1)
    const idle = await open('127.0.0.1', get('/healthz'))
    assert.equal(await status('127.0.0.1'), 200)
    await until('the idle one is closed', () => closed.has(idle))
    assert.deepEqual(
      busy.filter((socket) => closed.has(socket)),
      [],
    )
  })

  test(`${scheme}: one address that lets all its answers wait gives way too`, async (t) => {
    const { site, open, status } = await bench(t, randomBytes(32 << 20), secure)
    for (let n = 0; n < max; n += 1) await open('127.0.0.1', get('/boot/vmlinuz'))
    assert.equal(await status('127.0.0.2'), 200)
    assert.equal(site.limits.connections.stats().refused, 1)
  })
}

test('answers that nobody reads are bounded: the address that holds most gives way', async (t) => {
  const site = new HttpBench(Buffer.from('content'))
  t.after(() => site.end())
  const { port } = await site.listen(true, { bounds: { answerBytesMax: 40 << 20 } })
  site.manifest = randomBytes(12 << 20)
  const ca = site.identity?.caCertificate ?? ''
  const path = `/v1/manifest?node=n1&nonce=${'0'.repeat(32)}`
  const hoarders: Socket[] = []
  t.after(() => {
    for (const socket of hoarders) socket.destroy()
  })
  const target = { port, host: '127.0.0.1', localAddress: '127.0.0.2', ca }
  for (let n = 0; n < 3; n += 1) {
    const socket = connectTls(target)
    hoarders.push(socket)
    socket.on('error', () => {})
    socket.write(get(path))
    await once(socket, 'readable')
  }
  // A fourth of the same address is refused, for the others are its own.
  const refused = await ask(port, path, { ca, localAddress: '127.0.0.2' })
  assert.equal(refused.status, 503)
  assert.match(refused.headers['retry-after'] ?? '', /^[1-9]$/)
  const answer = await ask(port, path, { ca, localAddress: '127.0.0.3' })
  assert.ok(answer.body.equals(site.manifest))
  const isThere = ({ localPort = 0 }: Socket) => hasTcp(port, localPort)
  await until('one of the hoarders is cut off', () => hoarders.filter(isThere).length === 2)
  // What has been read is given back.
  for (let n = 0; n < 4; n += 1)
    assert.equal((await ask(port, path, { ca, localAddress: '127.0.0.3' })).status, 200)
})

test('a boot program that many load is a copy for each over TLS, and bounded as other answers are', async (t) => {
  const site = new HttpBench(Buffer.from('content'))
  t.after(() => site.end())
  site.program = randomBytes(12 << 20)
  const path = '/v1/ipxe/bin/x64/ipxe.efi'
  const hoarders: Socket[] = []
  t.after(() => {
    for (const socket of hoarders) socket.destroy()
  })
  for (const [secure, status] of [
    [true, 503],
    [false, 200],
  ] as const) {
    const bounds = { answerBytesMax: 40 << 20 }
    const { port } = await site.listen(secure, { isBootingByTurn: true, bounds })
    const ca = secure ? site.identity?.caCertificate : undefined
    const target = { port, host: '127.0.0.1', localAddress: '127.0.0.2' }
    for (let n = 0; n < 3; n += 1) {
      const socket = secure ? connectTls({ ...target, ca }) : connect(target)
      hoarders.push(socket)
      socket.on('error', () => {})
      socket.write(get(path))
      await once(socket, 'readable')
    }
    assert.equal((await ask(port, path, { ca, localAddress: '127.0.0.2' })).status, status)
    const answer = await ask(port, path, { ca, localAddress: '127.0.0.3' })
    assert.ok(answer.body.equals(site.program))
  }
})

test('a slow reader that is cut off holds nothing in the system either', async (t) => {
  const site = new HttpBench(randomBytes(32 << 20))
  t.after(() => site.end())
  const { port } = await site.listen(true, { slowWindowMs: 200 })
  const socket = connectTls({ port, host: '127.0.0.1', ca: site.identity?.caCertificate })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(get('/boot/vmlinuz'))
  await once(socket, 'readable')
  const isThere = () => hasTcp(port, socket.localPort ?? 0)
  assert.ok(isThere())
  await until('the server gave up', () => site.servedBytes > 0)
  await until('the system has dropped it', () => !isThere())
})

for (const [secure, path] of [
  [false, '/boot/vmlinuz'],
  [true, '/boot/vmlinuz'],
  [false, '/v1/ipxe/bin/bios/undionly.kpxe'],
] as const) {
  test(`${secure ? 'HTTPS' : 'HTTP'} ${path}: what waits in the system for a client that stops reading is bounded`, async (t) => {
    const site = new HttpBench(randomBytes(32 << 20))
    t.after(() => site.end())
    site.program = randomBytes(4 << 20)
    const { port } = await site.listen(secure, { isBootingByTurn: true })
    const target = { port, host: '127.0.0.1' }
    const socket = secure
      ? connectTls({ ...target, ca: site.identity?.caCertificate })
      : connect({ ...target })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(get(path))
    await once(socket, 'readable')
    let [waiting, looks] = [0, 0]
    await until('the server has stopped sending', () => {
      const before = waiting
      waiting = unsent(port, socket.localPort ?? 0)
      looks = waiting === before && waiting > 0 ? looks + 1 : 0
      return looks >= 10
    })
    assert.ok(waiting < 1 << 20, `${waiting} bytes`)
  })
}

/** Bytes of a connection from our `port` to `remotePort` that the system holds to be sent or acknowledged. */
function unsent(port: number, remotePort: number): number {
  const hex = (number: number) => number.toString(16).toUpperCase().padStart(4, '0')
  const line = new RegExp(
    `: [0-9A-F]{8}:${hex(port)} [0-9A-F]{8}:${hex(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`,
  )
  return Number.parseInt(line.exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1] ?? '0', 16)
}

/** Whether the system knows a connection from our `port` to `remotePort`, in any state. */
function hasTcp(port: number, remotePort: number): boolean {
  const hex = (number: number) => number.toString(16).toUpperCase().padStart(4, '0')
  return new RegExp(`: [0-9A-F]{8}:${hex(port)} [0-9A-F]{8}:${hex(remotePort)} `).test(
    readFileSync('/proc/net/tcp', 'latin1'),
  )
}

test('how many connections there may be follows from open files and memory', () => {
  const gigabyte = 2 ** 30
  assert.equal(clientLimitNumbers(1_048_576, 64 * gigabyte).connectionsMax, 32_768)
  assert.equal(clientLimitNumbers(1_048_576, 8 * gigabyte).connectionsMax, 16_384)
  assert.equal(clientLimitNumbers(1024, 64 * gigabyte).connectionsMax, 416)
  assert.equal(clientLimitNumbers(100, gigabyte).connectionsMax, 32)
  assert.equal(clientLimitNumbers(1024, gigabyte).answerBytesMax, 64 * 2 ** 20)
})
