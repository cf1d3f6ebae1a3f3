import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MetadataParts } from '../../../server/swarm/metadata-parts.js'

test('parts of the metadata: requests are answered, what is no request is not', () => {
  const hashes = Buffer.alloc(20_000, 5)
  const info = Buffer.concat([Buffer.from('d4:name1:x6:pieces20000:'), hashes, Buffer.from('e')])
  const parts = new MetadataParts(
    Buffer.concat([Buffer.from('d8:announce1:a4:info'), info, Buffer.from('e')]),
  )
  assert.equal(parts.sizeBytes, info.length)
  assert.equal(parts.count, 2)
  const ask = (text: string) => Buffer.from(parts.answer(Buffer.from(text)) ?? '').toString('latin1')
  const head = (piece: number) => `d8:msg_typei1e5:piecei${piece}e10:total_sizei${info.length}ee`
  assert.equal(ask('d8:msg_typei0e5:piecei0ee'), head(0) + info.subarray(0, 16_384).toString('latin1'))
  assert.equal(ask('d8:msg_typei0e5:piecei1ee'), head(1) + info.subarray(16_384).toString('latin1'))
  for (const piece of [2, -1, 2 ** 40])
    assert.equal(ask(`d8:msg_typei0e5:piecei${piece}ee`), `d8:msg_typei2e5:piecei${piece}ee`)
  for (const wrong of [
    '',
    'le',
    'd8:msg_typei0ee',
    'd8:msg_typei1e5:piecei0ee',
    'd8:msg_typei0e5:piece1:0e',
    'i0e',
  ])
    assert.equal(ask(wrong), '')
  assert.throws(() => new MetadataParts(Buffer.from('de')), /no info/)
})
