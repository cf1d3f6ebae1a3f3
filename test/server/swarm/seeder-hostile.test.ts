/**
 * What a hostile peer may send to the seeder. The first four ended or exhausted the process with plain
 * webtorrent 3.0.21; here each costs its sender the connection, and nothing else.
 */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { hangMs } from '../../support/limits.js'
import { id, RawPeer, runSeeder, sampleBytes, sampleTorrent } from './helpers.js'

const options = { timeout: hangMs }

interface Target {
  port: number
  torrent: Awaited<ReturnType<typeof sampleTorrent>>
  /** Fails if the process died, grew, or serves no more. */
  unharmed(): Promise<void>
}

async function target(t: TestContext, sizeBytes = 2_000_000): Promise<Target> {
  const torrent = await sampleTorrent(t, { sizeBytes, pieceLength: 65_536 })
  const { seeder, port } = await runSeeder(t)
  await seeder.add(torrent)
  const { pid } = seeder
  const unharmed = async (): Promise<void> => {
    const peer = new RawPeer(port)
    peer.greet(torrent.infohash, { agent: true })
    const grant = await peer.take((m) => m.id === id.allowedFast)
    assert.ok(grant, 'the seeder does not hand out any more')
    peer.close()
    assert.equal(seeder.pid, pid)
    assert.equal(seeder.stats().restarts, 0)
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const peakKib = Number(/VmHWM:\s+([0-9]+) kB/.exec(status)?.[1])
    assert.ok(peakKib < 200_000, `${peakKib} KiB at the peak`)
  }
  return { port, torrent, unharmed }
}

/** Sends something wrong as a greeted peer and waits until it is thrown out. */
async function thrownOut(to: Target, wrong: (peer: RawPeer) => void, agent = false): Promise<void> {
  const peer = new RawPeer(to.port)
  peer.greet(to.torrent.infohash, { agent })
  wrong(peer)
  await peer.gone()
}

test('a HAVE far beyond the last piece', options, async (t) => {
  const to = await target(t)
  for (const index of [31, 4_000_000, 0x7fffffff, 0x80000000, 0xffffffff]) {
    await thrownOut(to, (peer) => peer.sendNumbers(id.have, index))
    await thrownOut(to, (peer) => peer.sendNumbers(id.have, index), true)
  }
  await to.unharmed()
})

test('a message of gigabytes, sent in small parts', options, async (t) => {
  const to = await target(t)
  for (const length of [65_537, 0x7fffffff, 0xffffffff]) {
    await thrownOut(to, (peer) => {
      const head = Buffer.alloc(5)
      head.writeUInt32BE(length)
      peer.socket.write(head)
      for (let i = 0; i < 50; i++) peer.socket.write(Buffer.alloc(1_000))
    })
  }
  await to.unharmed()
})

test('requests of nothing, of too much, beyond the piece, beyond the file', options, async (t) => {
  const to = await target(t)
  const wrong: [number, number, number][] = [
    [0, 0, 0],
    [0, 0, 131_073],
    [0, 0, 0xffffffff],
    [0, 65_536, 1],
    [0, 65_535, 2],
    [0, 0xffffffff, 1],
    [31, 0, 16_384],
    [0xffffffff, 0, 16_384],
    [30, 33_921, 16_384],
  ]
  for (const [index, offset, length] of wrong) {
    await thrownOut(to, (peer) => peer.sendNumbers(id.request, index, offset, length))
  }
  await to.unharmed()
})

test('more than 512 requests from one who reads nothing', options, async (t) => {
  const to = await target(t)
  const peer = new RawPeer(to.port)
  peer.greet(to.torrent.infohash, {})
  peer.send(id.interested)
  assert.ok(await peer.take((m) => m.id === id.unchoke))
  peer.socket.pause()
  for (let i = 0; i < 40_000; i++) peer.sendNumbers(id.request, i % 30, 0, 65_536)
  // A paused socket learns of its end when it writes.
  const ended = new Promise<void>((resolve) => peer.socket.once('close', () => resolve()))
  const writer = setInterval(() => peer.socket.write(Buffer.alloc(4)), 10)
  await ended
  clearInterval(writer)
  await to.unharmed()
})

test('everything above before the seeder has looked up the torrent', options, async (t) => {
  const to = await target(t)
  const floods: Buffer[] = [
    Buffer.from([0, 0, 0, 5, id.have, 0x7f, 0xff, 0xff, 0xff]),
    Buffer.from([0x7f, 0xff, 0xff, 0xff, 20]),
    sampleBytes(3_000_000, 3),
  ]
  for (const flood of floods) {
    const peer = new RawPeer(to.port)
    const handshake = Buffer.concat([
      Buffer.from('\x13BitTorrent protocol', 'latin1'),
      Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4]),
      Buffer.from(to.torrent.infohash, 'hex'),
      Buffer.from('-XX0001-abcdefghijkl'),
    ])
    peer.socket.write(Buffer.concat([handshake, flood]))
    await peer.gone()
  }
  await to.unharmed()
})

test('BEP 10 dictionaries that make the library throw, or never end', options, async (t) => {
  const to = await target(t)
  const deep = 'l'.repeat(60_000)
  const bodies = [
    'd1:md1:ad8:toStringi1eeee',
    'd1:md9:__proto__i1eee',
    'd1:mi1ee',
    'i1e',
    'le',
    '0:',
    'd1:m',
    deep,
    `d1:m${deep}`,
    // A length below zero steps back to itself: the library went on for ever, and filled the memory.
    'l-3:',
    'd1:ml-3:',
    'd2:bsd1:ai1eee',
    'd2:bsi-1ee',
  ]
  for (const body of bodies) {
    const peer = new RawPeer(to.port)
    peer.greet(to.torrent.infohash, {})
    peer.send(id.extended, Buffer.from(`\0${body}`, 'latin1'))
    peer.sendNumbers(id.have, 99)
    await peer.gone()
  }
  await to.unharmed()
})

test('metadata asked for without end', options, async (t) => {
  const to = await target(t)
  const peer = new RawPeer(to.port)
  peer.greet(to.torrent.infohash, {})
  const ask = Buffer.from('\x01d8:msg_typei0e5:piecei0ee', 'latin1')
  assert.ok(await peer.take((m) => m.id === id.extended))
  peer.send(id.extended, ask)
  const first = await peer.take((m) => m.id === id.extended)
  assert.match(first?.body.toString('latin1') ?? '', /msg_typei1e.*6:pieces620:/s)
  // One part, four times, and 64 more.
  for (let i = 1; i < 68; i++) {
    peer.send(id.extended, ask)
    assert.ok(await peer.take((m) => m.id === id.extended))
  }
  peer.send(id.extended, ask)
  await peer.gone()
  await to.unharmed()
})

test('handshakes of BEP 10 without end', options, async (t) => {
  const to = await target(t)
  const peer = new RawPeer(to.port)
  peer.greet(to.torrent.infohash, {})
  const again = Buffer.from('\0d1:md11:ut_metadatai3eee', 'latin1')
  for (let i = 1; i < 16; i++) peer.send(id.extended, again)
  peer.sendNumbers(id.request, 0, 0, 16_384)
  assert.ok(await peer.take((m) => m.id === id.reject))
  peer.send(id.extended, again)
  await peer.gone()
  await to.unharmed()
})

test('keep-alives by the thousand', options, async (t) => {
  const to = await target(t)
  await thrownOut(to, (peer) => peer.socket.write(Buffer.alloc(4 * 3_000)))
  await to.unharmed()
})

test('noise from a seed: before, in and after the handshake', options, async (t) => {
  const to = await target(t)
  for (let round = 0; round < 120; round++) {
    const noise = sampleBytes(1 + ((round * 997) % 5_000), round * 2 + 1)
    const peer = new RawPeer(to.port)
    if (round % 3 === 1) peer.socket.write(Buffer.from('\x13BitTorrent protocol', 'latin1'))
    if (round % 3 === 2) {
      peer.greet(to.torrent.infohash, { agent: round % 2 === 0 })
      for (let at = 0; at + 40 < noise.length; at += 40) {
        peer.send((noise[at] ?? 0) % 22, noise.subarray(at + 1, at + 1 + ((noise[at + 1] ?? 0) % 38)))
      }
    }
    peer.socket.end(noise)
    await peer.gone()
  }
  await to.unharmed()
})
