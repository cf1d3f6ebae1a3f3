/** Real TLS clients, many at once, some of them hostile, in front of a real listener. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { HANDSHAKES_MIN } from '../../../server/http/handshake-window.js'
import { hangMs } from '../../support/limits.js'
import { untilEqual } from '../../support/processes.js'
import { ask, HttpBench } from './support.js'

/** No test lasts so long: who is inside stays there. */
const neverMs = 3_600_000
const handshakesMax = HANDSHAKES_MIN
const addressHandshakesMax = (3 * HANDSHAKES_MIN) / 4

/** The first that a TLS client says. */
function greeting(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read: () => {}, write: (chunk: Buffer) => resolve(chunk) })
    connectTls({ socket: wire }).on('error', () => {})
  })
}

/** Clients that begin a handshake and never end it. */
class Hangers {
  readonly answered = new Set<Socket>()
  readonly sockets: Socket[] = []
  #wanted: { count: number; resolve: () => void } | undefined

  /** One from each address, in this order. */
  async come(port: number, addresses: readonly string[]): Promise<void> {
    const hello = await greeting()
    for (const localAddress of addresses) {
      const socket = connect({ port, host: '127.0.0.1', localAddress })
      socket.on('error', () => {})
      socket.on('data', () => {
        this.answered.add(socket)
        if (this.answered.size === this.#wanted?.count) this.#wanted.resolve()
      })
      this.sockets.push(socket)
      await once(socket, 'connect')
      socket.write(hello)
    }
  }

  /** Resolves when so many have been answered. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = { count, resolve }
      if (this.answered.size >= count) resolve()
    })
  }
}

async function queued(t: TestContext, handshake: number) {
  const site = new HttpBench(Buffer.from('content'))
  const hangers = new Hangers()
  t.after(async () => {
    for (const socket of hangers.sockets) socket.destroy()
    await site.end()
  })
  const { port } = await site.listen(true, { timeoutsMs: { handshake } })
  const { port: plainPort } = await site.listen(false)
  const ca = site.identity?.caCertificate
  const status = async () => (await ask(port, '/healthz', { ca, localAddress: '127.0.9.9' })).status
  // Whatever was sent before has been read when this is answered.
  const settle = async () => {
    for (let round = 0; round < 3; round += 1) await ask(plainPort, '/healthz')
  }
  return { port, hangers, status, settle }
}

/** Resolves when the server has hung up, in whatever way. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume()
  return new Promise((resolve) => socket.on('close', () => resolve()))
}

const addressOf = (index: number) => `127.0.1.${index + 1}`

test('handshakes are taken up a few dozen at a time, in order, as others end', async (t) => {
  const { port, hangers, status, settle } = await queued(t, neverMs)
  const count = handshakesMax + 8
  await hangers.come(
    port,
    Array.from({ length: count }, (_, index) => addressOf(index)),
  )
  await hangers.reached(handshakesMax)
  await settle()
  assert.equal(hangers.answered.size, handshakesMax)
  const answer = status()
  await settle()
  hangers.sockets[3]?.destroy()
  await hangers.reached(handshakesMax + 1)
  assert.ok(hangers.answered.has(hangers.sockets[handshakesMax] as Socket), 'the next one')
  await settle()
  assert.equal(hangers.answered.size, handshakesMax + 1)
  for (const socket of hangers.sockets.slice(8, 16)) socket.destroy()
  assert.equal(await answer, 200)
  assert.equal(hangers.answered.size, count)
})

test('clients that hang let others in after a while', async (t) => {
  const { port, hangers, status } = await queued(t, 200)
  const addresses = Array.from({ length: 3 * handshakesMax }, (_, index) => addressOf(index))
  await hangers.come(port, addresses)
  assert.equal(await status(), 200)
  await hangers.reached(addresses.length)
})

test('one address cannot keep the others out', async (t) => {
  const { port, hangers, status, settle } = await queued(t, neverMs)
  await hangers.come(port, new Array<string>(3 * handshakesMax).fill('127.0.1.1'))
  await hangers.reached(addressHandshakesMax)
  assert.equal(await status(), 200)
  await settle()
  // One that was quick has widened the window by one.
  assert.ok(hangers.answered.size <= addressHandshakesMax + 1)
})

test('who says nothing, or no TLS, does not stand in the queue', async (t) => {
  const { port, hangers, status } = await queued(t, neverMs)
  for (let index = 0; index < 2 * handshakesMax; index += 1) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(index) })
    hangers.sockets.push(socket)
    await once(socket, 'connect')
  }
  assert.equal(await status(), 200)
  const refused = hangers.sockets.map(closed)
  for (const [index, socket] of hangers.sockets.entries()) {
    if (index % 2 === 0) socket.write('GET / HTTP/1.1\r\n\r\n')
    else socket.end()
  }
  await Promise.all(refused)
  assert.equal(await status(), 200)
})

test('a client that hangs up while it waits is gone at once', async (t) => {
  const { port, hangers, settle } = await queued(t, neverMs)
  const addresses = Array.from({ length: handshakesMax + 2 }, (_, index) => addressOf(index))
  await hangers.come(port, addresses)
  await hangers.reached(handshakesMax)
  await settle()
  const waiting = hangers.sockets.slice(handshakesMax)
  const gone = waiting.map(closed)
  waiting[0]?.end()
  waiting[1]?.end(Buffer.alloc(10))
  await Promise.all(gone)
})

test('what is longer than any greeting is hung up on while it waits', async (t) => {
  const { port, hangers, settle } = await queued(t, neverMs)
  const addresses = Array.from({ length: handshakesMax }, (_, index) => addressOf(index))
  await hangers.come(port, addresses)
  await hangers.reached(handshakesMax)
  const long = connect({ port, host: '127.0.0.1', localAddress: '127.0.2.1' })
  hangers.sockets.push(long)
  const over = closed(long)
  long.write(await greeting())
  await settle()
  long.write(Buffer.alloc(256 * 1024))
  await over
})

test('a handshake that does not end in time is closed, and nothing of it is left', {
  timeout: hangMs,
}, async (t) => {
  const site = new HttpBench(Buffer.from('content'))
  const hangers = new Hangers()
  t.after(async () => {
    for (const socket of hangers.sockets) socket.destroy()
    await site.end()
  })
  const { port } = await site.listen(true, { timeoutsMs: { handshake: neverMs, header: 200 } })
  await hangers.come(
    port,
    Array.from({ length: 4 }, (_, index) => addressOf(index)),
  )
  const half = connect({ port, host: '127.0.0.1', localAddress: '127.0.2.1' })
  hangers.sockets.push(half)
  half.write((await greeting()).subarray(0, 50))
  await Promise.all(hangers.sockets.map(closed))
  await untilEqual('connections', () => site.limits.connections.stats().open, 0)
})

test('a server that stops does not wait for queued handshakes', { timeout: hangMs }, async (t) => {
  const site = new HttpBench(Buffer.from('content'))
  const hangers = new Hangers()
  t.after(() => {
    for (const socket of hangers.sockets) socket.destroy()
  })
  const { port } = await site.listen(true, { timeoutsMs: { handshake: neverMs } })
  await hangers.come(
    port,
    Array.from({ length: handshakesMax + 2 }, (_, index) => addressOf(index)),
  )
  await hangers.reached(handshakesMax)
  const over = Promise.all(hangers.sockets.map(closed))
  await site.end()
  await over
})
