import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type BencodeDict, decodeBencode } from '../../src/bencode.js'
import { choosePieceLength, encodeInfo, infohash, pieceCount } from '../../src/metainfo.js'

interface Vector {
  about: string
  torrent: string
  metainfo: {
    name: string
    size_bytes: number
    piece_length: number
    pieces: string
    infohash: string
    canonical: boolean
  } | null
}

test('info dictionary and infohash of the vectors of both languages', () => {
  const vectors = JSON.parse(readFileSync('test/vectors/metainfo.json', 'utf8')) as Vector[]
  const canonical = vectors.filter((vector) => vector.metainfo?.canonical)
  assert.ok(canonical.length >= 4)
  for (const { about, torrent, metainfo } of canonical) {
    assert.ok(metainfo)
    const input = {
      name: metainfo.name,
      sizeBytes: metainfo.size_bytes,
      pieceLengthBytes: metainfo.piece_length,
      pieces: Buffer.from(metainfo.pieces, 'hex'),
    }
    assert.equal(infohash(input), metainfo.infohash, about)
    const info = (decodeBencode(Buffer.from(torrent, 'hex')) as BencodeDict).get('info')
    assert.deepEqual(decodeBencode(encodeInfo(input)), info, about)
  }
})

test('piece lengths for the swarm', () => {
  const KIB = 1024
  const MIB = 1024 * KIB
  const cases: [number, number][] = [
    [1, 16 * KIB],
    [MIB, 16 * KIB],
    [MIB + 1, 64 * KIB],
    [32 * MIB, 64 * KIB],
    [32 * MIB + 1, 128 * KIB],
    [64 * MIB, 128 * KIB],
    [130_000_000, 128 * KIB],
    [512 * MIB, 128 * KIB],
    [512 * MIB + 1, 256 * KIB],
    [16 * 1024 * MIB, 4 * MIB],
    [2 ** 40, 4 * MIB],
  ]
  for (const [size, length] of cases) assert.equal(choosePieceLength(size), length, `${size}`)
  assert.equal(pieceCount(130_000_000, choosePieceLength(130_000_000)), 992)
  for (let size = 1; size < 2 ** 40; size = Math.ceil(size * 1.7)) {
    const length = choosePieceLength(size)
    assert.ok(Number.isInteger(Math.log2(length)) && length >= 16 * KIB && length <= 4 * MIB)
    assert.ok(pieceCount(size, length) <= 4096 || length === 4 * MIB)
  }
})
