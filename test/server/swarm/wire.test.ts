/** The library internals that the seeder stands on, and the protocol with the library's own wire as agent. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, Server, type Socket } from 'node:net'
import { test } from 'node:test'
import DHT from 'bittorrent-dht'
import Wire from 'bittorrent-protocol'
import WebTorrent from 'webtorrent'
import { ReadGate } from '../../../server/swarm/read-gate.js'
import { hangMs } from '../../support/limits.js'
import { runSeeder, sampleTorrent } from './helpers.js'

test('the libraries still have the internals that we take over', async (t) => {
  const names = [
    '_push',
    '_processBuffer',
    '_parse',
    '_onHandshakeBuffer',
    '_onMessageLength',
    '_onMessage',
    '_onInterested',
    '_onUninterested',
    '_onHave',
    '_onBitField',
    '_onHaveAll',
    '_onHaveNone',
    '_onRequest',
    '_onCancel',
    '_onPiece',
    '_onExtended',
    '_onChoke',
    '_onUnchoke',
    '_onPort',
    '_onSuggest',
    '_onReject',
    '_onAllowedFast',
  ]
  const wire = new Wire() as unknown as Record<string, unknown>
  for (const name of names) assert.equal(typeof wire[name], 'function', name)
  for (const name of ['_bufferSize', '_parserSize']) assert.equal(typeof wire[name], 'number', name)
  const options = { dht: false, lsd: false, tracker: false, natUpnp: false, natPmp: false, utp: false }
  const client = new WebTorrent({ ...options, torrentPort: 0 })
  t.after(() => new Promise<void>((resolve) => client.destroy(() => resolve())))
  assert.ok(client._connPool.tcpServer instanceof Server)
  const dht = new DHT({ bootstrap: false })
  t.after(() => new Promise<void>((resolve) => dht.destroy(resolve)))
  assert.equal(typeof client._connPool._onTCPConnectionBound, 'function')
  assert.equal(typeof client._connPool._onTCPError, 'function')
  assert.equal(typeof dht._addPeer, 'function')
  assert.equal(typeof dht._peers.add, 'function')
  assert.equal(typeof dht._rpc._addNode, 'function')
  assert.equal(typeof dht._rpc.nodes.closest, 'function')
  assert.equal(typeof dht._peers.get, 'function')
})

test('a stopped socket reads nothing, and all of it at once when started', { timeout: hangMs }, async (t) => {
  const server = createServer()
  t.after(() => server.close())
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sender = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay(true)
  t.after(() => sender.destroy())
  const socket = await accepted
  t.after(() => socket.destroy())
  const gate = new ReadGate(socket)
  const chunks: string[] = []
  const read = new EventEmitter()
  socket.on('data', (data) => {
    chunks.push(String(data))
    gate.stop('batch')
    read.emit('chunk')
  })
  const first = once(read, 'chunk')
  sender.write('first')
  await first
  for (const part of ['a', 'b', 'c'])
    await new Promise<void>((resolve) => sender.write(part, () => resolve()))
  // Whatever the stopped socket would have read has had two turns of the event loop to arrive.
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(chunks, ['first'])
  const second = once(read, 'chunk')
  gate.start('batch')
  await second
  assert.deepEqual(chunks, ['first', 'abc'])
})

test('bittorrent-protocol as an agent: choked, allowed fast, done', { timeout: hangMs }, async (t) => {
  const torrent = await sampleTorrent(t, { sizeBytes: 700_000, pieceLength: 65_536 })
  const { seeder, port } = await runSeeder(t)
  await seeder.add(torrent)
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  t.after(() => socket.destroy())
  const wire = new Wire('tcpOutgoing')
  socket.pipe(wire).pipe(socket)
  wire.extendedHandshake = { bs: 1, v: 'bootswarm/0.1.0' }
  const content = Buffer.alloc(torrent.sizeBytes)
  let left = torrent.sizeBytes
  let unchoked = false
  wire.on('unchoke', () => {
    unchoked = true
  })
  wire.on('handshake', () => wire.haveNone())
  const done = new Promise<void>((resolve, reject) => {
    wire.on('close', () => reject(new Error('closed')))
    wire.on('allowed-fast', (piece: number) => {
      const bytes = Math.min(torrent.pieceLength, torrent.sizeBytes - piece * torrent.pieceLength)
      let missing = bytes
      for (let offset = 0; offset < bytes; offset += 16_384) {
        wire.request(piece, offset, Math.min(16_384, bytes - offset), (error, block) => {
          if (error !== null) return reject(error)
          content.set(block, piece * torrent.pieceLength + offset)
          missing -= block.length
          left -= block.length
          if (missing === 0) wire.have(piece)
          if (left === 0) resolve()
        })
      }
    })
  })
  wire.handshake(torrent.infohash, `2d4257303030312d${randomBytes(12).toString('hex')}`, {
    fast: true,
    dht: false,
  })
  await done
  assert.deepEqual(content, torrent.content)
  assert.equal(unchoked, false)
  assert.equal(wire.peerExtendedHandshake.bs, 1)
  wire.removeAllListeners('close')
})
