/**
 * What one client may make the seeder hold: answers that it does not read, connections, descriptors, memory, turns of the
 * event loop. Real processes and sockets; whoever is greedy loses what he has, and honest peers are served.
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { hangMs } from '../../support/limits.js'
import { id, RawPeer, runSeeder, sampleTorrent } from './helpers.js'

const options = { timeout: hangMs }
const run = promisify(execFile)

interface Target {
  pid: number
  port: number
  torrent: Awaited<ReturnType<typeof sampleTorrent>>
  /** An agent of this address is handed a piece and gets it. */
  serves(localAddress: string): Promise<void>
  /** Whether an agent of this address is handed a piece before its connection ends. */
  greets(localAddress: string): Promise<boolean>
  /** The same process, without a restart. */
  lives(): void
  restarts(): number
  peakKib(): Promise<number>
  residentKib(): Promise<number>
}

/** A number of `/proc/PID/status`. */
async function statusOf(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${name}:\\s+([0-9]+) `).exec(status)?.[1])
}

async function target(t: TestContext, sizeBytes = 2_000_000, pieceLength = 65_536): Promise<Target> {
  const torrent = await sampleTorrent(t, { sizeBytes, pieceLength })
  const { seeder, port } = await runSeeder(t)
  await seeder.add(torrent)
  const pid = seeder.pid ?? 0
  return {
    pid,
    port,
    torrent,
    restarts: () => seeder.stats().restarts,
    lives() {
      assert.equal(seeder.pid, pid)
      assert.equal(seeder.stats().restarts, 0)
    },
    async serves(localAddress) {
      const peer = new RawPeer(port, '127.0.0.1', localAddress)
      peer.greet(torrent.infohash, { agent: true })
      const grant = await peer.take((m) => m.id === id.allowedFast)
      assert.ok(grant, 'the seeder does not hand out any more')
      const piece = grant.body.readUInt32BE(0)
      const bytes = Math.min(pieceLength, sizeBytes - piece * pieceLength)
      peer.requestPiece(piece, bytes)
      const got = await peer.takePiece(piece, bytes)
      assert.deepEqual(got, torrent.content.subarray(piece * pieceLength, piece * pieceLength + bytes))
      peer.sendNumbers(id.have, piece)
      peer.close()
    },
    async greets(localAddress) {
      const peer = new RawPeer(port, '127.0.0.1', localAddress)
      peer.greet(torrent.infohash, { agent: true })
      const grant = await peer.take((m) => m.id === id.allowedFast)
      peer.close()
      return grant !== undefined
    },
    peakKib: () => statusOf(pid, 'VmHWM'),
    residentKib: () => statusOf(pid, 'VmRSS'),
  }
}

/** Sends this again and again without reading anything until the connection is closed; returns how many bytes that took. */
async function flood(peer: RawPeer, messages: Buffer, bytesMax: number): Promise<number> {
  const { socket } = peer
  socket.pause()
  const closed = peer.gone()
  let sent = 0
  while (!socket.destroyed && sent < bytesMax) {
    sent += messages.length
    const drained = new Promise<void>((resolve) => socket.write(messages, () => resolve()))
    await Promise.race([drained, closed])
  }
  if (socket.destroyed) await closed
  return sent
}

function message(messageId: number, ...numbers: number[]): Buffer {
  const body = Buffer.alloc(5 + numbers.length * 4)
  body.writeUInt32BE(1 + numbers.length * 4)
  body[4] = messageId
  numbers.forEach((number, i) => {
    body.writeUInt32BE(number, 5 + i * 4)
  })
  return body
}

const many = (part: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil(60_000 / part.length) }, () => part))

test('messages without effect, by the million: each kind ends the connection', options, async (t) => {
  const to = await target(t)
  const kinds: Record<string, Buffer> = {
    'requests while choked': message(id.request, 1, 0, 16_384),
    'keep-alives': Buffer.alloc(4),
    'interest and none in turn': Buffer.concat([message(id.interested), message(id.notInterested)]),
    'choke and unchoke': Buffer.concat([message(id.choke), message(id.unchoke)]),
    'the same piece': message(id.have, 3),
    suggestions: message(13, 3),
    'allowed fast': message(id.allowedFast, 3),
    cancels: message(id.cancel, 1, 0, 16_384),
    rejects: message(id.reject, 1, 0, 16_384),
    pieces: Buffer.concat([message(id.piece, 1, 0), Buffer.alloc(0)]),
    'have none': message(id.haveNone),
    ports: Buffer.from([0, 0, 0, 3, 9, 1, 1]),
    'unknown ones': message(99, 1),
    'unknown extensions': Buffer.from([0, 0, 0, 3, id.extended, 77, 0]),
    'BEP 10 handshakes': Buffer.concat([Buffer.from([0, 0, 0, 4, id.extended, 0]), Buffer.from('de')]),
  }
  for (const agent of [true, false]) {
    for (const [kind, part] of Object.entries(kinds)) {
      const peer = new RawPeer(to.port)
      peer.greet(to.torrent.infohash, { agent })
      assert.ok(await peer.take((m) => m.id === id.extended))
      const sent = await flood(peer, many(part), 64_000_000)
      assert.ok(peer.closed, `${kind}: still open after ${sent} bytes`)
    }
  }
  to.lives()
  await to.serves('127.0.0.2')
  const peakKib = await to.peakKib()
  assert.ok(peakKib < 200_000, `${peakKib} KiB at the peak`)
})

test('a bitfield comes once', options, async (t) => {
  const to = await target(t)
  const bitfield = Buffer.concat([Buffer.from([0, 0, 0, 5, id.bitfield]), Buffer.alloc(4)])
  const all = message(id.haveAll)
  for (const pair of [
    [bitfield, bitfield],
    [all, all],
    [all, bitfield],
  ]) {
    const peer = new RawPeer(to.port)
    peer.greet(to.torrent.infohash, { haveNone: false })
    assert.ok(await peer.take((m) => m.id === id.extended))
    for (const part of pair) peer.socket.write(part)
    await peer.gone()
  }
  to.lives()
})

test('what peers say of themselves is not kept', options, async (t) => {
  const to = await target(t)
  const before = await to.peakKib()
  const peers: RawPeer[] = []
  for (let i = 0; i < 80; i++) {
    const peer = new RawPeer(to.port)
    peers.push(peer)
    peer.greet(to.torrent.infohash, {})
    const isRead = async () => {
      peer.sendNumbers(id.request, 0, 0, 16_384)
      return (await peer.take((m) => m.id === id.reject)) !== undefined
    }
    assert.ok(await isRead())
    // As long as a message may be, and other names each time: BEP 10 adds extensions.
    for (let again = 1; again < 16; again++) {
      const names = Array.from({ length: 1_200 }, (_, n) => (n * 16 + again) * 80 + i)
      const entries = names.map((name) => `8:${name.toString(36).padStart(8, '0')}i1e`)
      peer.send(id.extended, Buffer.from(`\0d1:md${entries.join('')}ee`, 'latin1'))
    }
    assert.ok(await isRead())
  }
  const grownKib = (await to.peakKib()) - before
  assert.ok(grownKib < 100_000, `grew by ${grownKib} KiB`)
  for (const peer of peers) peer.close()
  await to.serves('127.0.0.2')
  to.lives()
})

test('metadata for peers that do not read it waits in the peers’ memory', options, async (t) => {
  // One megabyte of hashes: each peer may have them five times.
  const to = await target(t, 50_000_000, 1_000)
  const before = await to.peakKib()
  const ask = Buffer.from('\x01d8:msg_typei0e5:piecei0ee', 'latin1')
  const asks = many(Buffer.concat([Buffer.from([0, 0, 0, ask.length + 1, id.extended]), ask]))
  const peers: RawPeer[] = []
  for (let i = 0; i < 100; i++) {
    const peer = new RawPeer(to.port)
    peers.push(peer)
    peer.greet(to.torrent.infohash, { agent: true })
    assert.ok(await peer.take((m) => m.id === id.extended))
    peer.socket.pause()
    peer.socket.write(asks)
  }
  // Those who come later are served when the seeder has dealt with all of that.
  for (let i = 2; i < 5; i++) await to.serves(`127.0.0.${i}`)
  const grownKib = (await to.peakKib()) - before
  assert.ok(grownKib < 150_000, `grew by ${grownKib} KiB`)
  for (const peer of peers) peer.close()
  to.lives()
})

test('who reads late is answered all that he asked', options, async (t) => {
  const to = await target(t, 50_000_000, 1_000)
  const peer = new RawPeer(to.port)
  peer.greet(to.torrent.infohash, {})
  assert.ok(await peer.take((m) => m.id === id.extended))
  peer.socket.pause()
  for (let part = 0; part < 200; part++) {
    peer.send(id.extended, Buffer.from(`\x01d8:msg_typei0e5:piecei${part % 62}ee`, 'latin1'))
  }
  await to.serves('127.0.0.2')
  peer.socket.resume()
  for (let part = 0; part < 200; part++) {
    const answer = await peer.take((m) => m.id === id.extended)
    assert.match(answer?.body.toString('latin1', 0, 30) ?? '', new RegExp(`5:piecei${part % 62}e`))
  }
  peer.close()
})

test(
  'when descriptors run short the silent are closed for newcomers, and nothing else fails',
  options,
  async (t) => {
    const to = await target(t)
    const open = (await readdir(`/proc/${to.pid}/fd`)).length
    const honest = new RawPeer(to.port, '127.0.0.1', '127.0.0.2')
    honest.greet(to.torrent.infohash, { agent: true })
    assert.ok(await honest.take((m) => m.id === id.allowedFast))
    await run('prlimit', ['--pid', String(to.pid), `--nofile=${open + 150}:${open + 150}`])
    const silent = Array.from({ length: 400 }, () => new RawPeer(to.port))
    // Half of them have begun a handshake.
    for (const [i, peer] of silent.entries())
      if (i % 2 === 0) peer.socket.write('\x13BitTorrent prot', 'latin1')
    const gone = () => silent.filter(({ closed }) => closed).length
    while (gone() < 250) await new Promise((resolve) => setTimeout(resolve, 10))
    // Until the seeder has noticed, newcomers may be closed, too.
    for (let isServed = false; !isServed; ) isServed = await to.greets('127.0.0.3')
    await to.serves('127.0.0.4')
    assert.equal(honest.closed, false)
    to.lives()
    for (const peer of silent) peer.close()
    honest.close()
  },
)

test('a thousand connections at once wait until they are accepted', options, async (t) => {
  const to = await target(t)
  process.kill(to.pid, 'SIGSTOP')
  const peers = Array.from({ length: 1_000 }, () => new RawPeer(to.port))
  const connected = Promise.all(peers.map(({ socket }) => once(socket, 'connect')))
  await connected.finally(() => process.kill(to.pid, 'SIGCONT'))
  await to.serves('127.0.0.2')
  for (const peer of peers) peer.close()
  to.lives()
})

test('memory of connections that are gone is given back', options, async (t) => {
  const to = await target(t)
  const peers: RawPeer[] = []
  for (let i = 0; i < 1_000; i++) {
    const peer = new RawPeer(to.port)
    peer.greet(to.torrent.infohash, { agent: true })
    peers.push(peer)
  }
  for (const peer of peers) assert.ok(await peer.take((m) => m.id === id.extended))
  const heldKib = await to.residentKib()
  for (const peer of peers) peer.close()
  while ((await to.residentKib()) > heldKib - 20_000) await new Promise((resolve) => setTimeout(resolve, 100))
  to.lives()
})

test('a seeder that gets no more memory is started again, and hands out', options, async (t) => {
  const to = await target(t)
  const dataBytes = (await statusOf(to.pid, 'VmData')) * 1024
  await run('prlimit', ['--pid', String(to.pid), `--data=${dataBytes}:${dataBytes}`])
  const peers: RawPeer[] = []
  while (to.restarts() === 0) {
    const peer = new RawPeer(to.port)
    peers.push(peer)
    peer.greet(to.torrent.infohash, { agent: true })
    await Promise.race([peer.gone(), peer.take((m) => m.id === id.extended)])
  }
  for (const peer of peers) peer.close()
  // While it starts nobody listens.
  while (!(await to.greets('127.0.0.2'))) await new Promise((resolve) => setTimeout(resolve, 10))
})
