import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import createTorrent from 'create-torrent'
import { makeTorrent, torrentFile } from '../../../server/catalog/torrent.js'
import { decodeBencode } from '../../../src/bencode.js'
import { choosePieceLength } from '../../../src/metainfo.js'

let dir = ''
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'bootswarm-torrent-'))
})
after(() => rmSync(dir, { recursive: true }))

/** Bytes that are the same on every machine. */
function bytes(size: number): Buffer {
  const block = createHash('sha512').update('bootswarm').digest()
  return Buffer.alloc(size, block)
}

test('the infohash is that of the bytes and the name, wherever the file lies', async () => {
  const path = join(dir, 'anything')
  writeFileSync(path, bytes(1_500_000))
  const made = await makeTorrent(path, 'base.tar.gz', 1_500_000)
  // Pinned: another infohash on another machine or after an update would split the swarm.
  assert.equal(made.infohash, '4995939f56fc04e15262c35c504bd984e420e867')
  assert.equal(made.pieceLengthBytes, 65_536)
  const other = join(dir, 'elsewhere')
  writeFileSync(other, bytes(1_500_000))
  assert.deepEqual(await makeTorrent(other, 'base.tar.gz', 1_500_000), made)
  assert.notEqual((await makeTorrent(other, 'other.tar.gz', 1_500_000)).infohash, made.infohash)
})

test('the torrent file made from the database is create-torrent’s to the byte', async () => {
  const path = join(dir, 'again')
  writeFileSync(path, bytes(100_000))
  const made = await makeTorrent(path, 'ä.tar', 100_000)
  const options = {
    name: 'ä.tar',
    pieceLength: choosePieceLength(100_000),
    announceList: [],
    creationDate: new Date(1000),
  }
  const original = await new Promise<Uint8Array>((resolve, reject) =>
    createTorrent(path, options, (error, torrent) => (error ? reject(error) : resolve(torrent))),
  )
  assert.deepEqual(Buffer.from(torrentFile('ä.tar', 100_000, made)), Buffer.from(original))
})

test('stock clients get a tracker, and nothing else differs', async () => {
  const path = join(dir, 'announce')
  writeFileSync(path, bytes(10))
  const made = await makeTorrent(path, 'a', 10)
  const root = decodeBencode(torrentFile('a', 10, made, 'http://10.0.0.1:8480/announce'))
  assert.ok(root instanceof Map)
  assert.deepEqual([...root.keys()], ['announce', 'creation date', 'encoding', 'info'])
  assert.equal(Buffer.from(root.get('announce') as Uint8Array).toString(), 'http://10.0.0.1:8480/announce')
})
