import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { createLsd } from '../../../server/swarm/lsd.js'
import { encodeLsd, type LsdPacket, lsdGroup, parseLsd } from '../../../server/swarm/lsd-packet.js'
import { hangMs } from '../../support/limits.js'
import { sampleBytes } from './helpers.js'

const infohash = 'ab'.repeat(20)

test('reads the golden vectors, and writes the canonical ones to the byte', async () => {
  const vectors = JSON.parse(await readFile('test/vectors/lsd.json', 'utf8')) as {
    about: string
    packet: string
    parsed?: { port: number; infohashes: string[]; cookie?: string; canonical: boolean }
  }[]
  for (const { about, packet, parsed } of vectors) {
    const read = parseLsd(Buffer.from(packet, 'latin1'))
    if (parsed === undefined) {
      assert.equal(read, undefined, about)
      continue
    }
    const { canonical, ...expected } = parsed
    assert.deepEqual(read, expected, about)
    if (canonical) assert.deepEqual(encodeLsd(expected), [Buffer.from(packet, 'latin1')], about)
  }
})

test('many torrents go in several datagrams', () => {
  const infohashes = Array.from({ length: 45 }, (_, i) => i.toString(16).padStart(40, '0'))
  const datagrams = encodeLsd({ port: 1, infohashes })
  assert.equal(datagrams.length, 3)
  assert.deepEqual(
    datagrams.map(parseLsd).flatMap((packet) => packet?.infohashes),
    infohashes,
  )
  assert.ok(datagrams.every((datagram) => datagram.length < 1_400))
})

/** A free UDP port for the test's own group, and a listener in it on the loopback interface. */
async function listener(t: TestContext): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, resolve))
  socket.addMembership(lsdGroup, '127.0.0.1')
  socket.setMulticastInterface('127.0.0.1')
  return { socket, port: socket.address().port }
}

/** Resolves with the packet of the seeder that comes after the one with this cookie (or the first of all). */
function fromSeeder(socket: Socket, afterCookie?: string): Promise<LsdPacket> {
  let waiting = afterCookie !== undefined
  return new Promise((resolve) => {
    const onMessage = (bytes: Buffer): void => {
      const packet = parseLsd(bytes)
      if (packet?.cookie === afterCookie) waiting = false
      if (waiting || packet?.port !== 6881) return
      socket.off('message', onMessage)
      resolve(packet)
    }
    socket.on('message', onMessage)
  })
}

test('a flood of one address does not keep it from hearing others', { timeout: hangMs }, async (t) => {
  const { socket, port } = await listener(t)
  // The clock stands: what is spent does not come back.
  const lsd = createLsd({ port, nowMs: () => 0, random: () => 0 })
  t.after(() => lsd.stop())
  lsd.setInterfaces(['127.0.0.1'])
  const announced = fromSeeder(socket)
  await lsd.start()
  lsd.setTorrents([infohash], 6881)
  await announced
  const from = async (address: string) => {
    const sender = createSocket('udp4')
    t.after(() => sender.close())
    await new Promise<void>((resolve) => sender.bind(0, address, resolve))
    sender.setMulticastInterface('127.0.0.1')
    return (bytes: Buffer) =>
      new Promise<void>((resolve) => sender.send(bytes, port, lsdGroup, () => resolve()))
  }
  const flood = await from('127.0.0.9')
  const [foreign] = encodeLsd({ port: 1, infohashes: ['cd'.repeat(20)], cookie: 'flood' })
  // One by one: the kernel's own buffer drops none of them.
  while (lsd.stats().received < 2_000) {
    await flood(foreign as Buffer)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(lsd.stats().dropped > 0)
  const answered = fromSeeder(socket, 'other')
  const [search] = encodeLsd({ port: 7001, infohashes: [infohash], cookie: 'other' })
  await (await from('127.0.0.2'))(search as Buffer)
  assert.deepEqual((await answered).infohashes, [infohash])
})

test('announces the seeder, answers those who look, and survives garbage', { timeout: hangMs }, async (t) => {
  const { socket, port } = await listener(t)
  const lsd = createLsd({
    port,
    nowMs: () => performance.now(),
    random: () => 0,
  })
  t.after(() => lsd.stop())
  lsd.setInterfaces(['127.0.0.1'])
  const announced = fromSeeder(socket)
  await lsd.start()
  lsd.setTorrents([infohash], 6881)
  assert.deepEqual((await announced).infohashes, [infohash])

  for (let i = 0; i < 80; i++) socket.send(sampleBytes(1 + i * 20, i * 2 + 1), port, lsdGroup)
  socket.send('BT-SEARCH * HTTP/1.1', port, lsdGroup)
  const answered = fromSeeder(socket, 'other')
  const [search] = encodeLsd({ port: 7001, infohashes: [infohash], cookie: 'other' })
  socket.send(search as Buffer, port, lsdGroup)
  assert.deepEqual((await answered).infohashes, [infohash])
  assert.ok(lsd.stats().dropped >= 1)
})
