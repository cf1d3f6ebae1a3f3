import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeBencode, encodeBencode } from '../../src/bencode.js'
import { fuzzed, outcome } from '../fuzz.js'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

test('the vectors of both languages', () => {
  const cases = JSON.parse(readFileSync('test/vectors/bencode.json', 'utf8')) as {
    input: string
    strict: boolean
  }[]
  assert.ok(cases.length >= 50)
  for (const { input, strict } of cases) {
    assert.equal(
      outcome(() => decodeBencode(bytes(input))),
      strict ? 'ok' : 'BENCODE_MALFORMED',
      input,
    )
  }
})

test('what is strict is written as it was read', () => {
  const text = 'd0:i-1e1:ali0e4:spami9223372036854775807ee1:\xffd1:ble2:ba0:ee'
  assert.equal(Buffer.from(encodeBencode(decodeBencode(bytes(text)))).toString('latin1'), text)
})

test('keys are sorted by bytes, text is UTF-8', () => {
  assert.equal(
    Buffer.from(encodeBencode({ b: 1, a: 'é', aa: [] })).toString('latin1'),
    'd1:a2:\xc3\xa92:aale1:bi1ee',
  )
  assert.throws(() => encodeBencode({ a: 0.5 }), { code: 'BENCODE_MALFORMED' })
})

test('bounds: depth, values, bytes; a length that reaches past the end takes no memory', () => {
  assert.equal(
    outcome(() => decodeBencode(bytes('l'.repeat(1_000_000)))),
    'BENCODE_MALFORMED',
  )
  assert.equal(
    outcome(() => decodeBencode(bytes(`l${'le'.repeat(70_000)}e`))),
    'BENCODE_MALFORMED',
  )
  assert.equal(
    outcome(() => decodeBencode(bytes('4:spam'), { bytesMax: 5 })),
    'BENCODE_MALFORMED',
  )
  assert.equal(
    outcome(() => decodeBencode(bytes('999999999:a'))),
    'BENCODE_MALFORMED',
  )
  assert.equal(
    outcome(() => decodeBencode(bytes(`i${'9'.repeat(1_000_000)}e`))),
    'BENCODE_MALFORMED',
  )
  assert.equal(
    outcome(() => decodeBencode(bytes(`${'9'.repeat(1_000_000)}:`))),
    'BENCODE_MALFORMED',
  )
})

test('the error says where', () => {
  assert.throws(() => decodeBencode(bytes('d1:ai01ee')), { message: 'not an integer (at byte 4)' })
  assert.throws(() => decodeBencode(bytes('li1e')), { message: 'cut short (at byte 4)' })
})

test('mutations end in a value that is written the same, or in the code', () => {
  const seed = bytes(
    'd8:announce26:http://10.0.0.1:8480/a/b/c4:infod6:lengthi100e4:name1:x5:piecel1:a1:bi-5eeee',
  )
  let taken = 0
  for (const variant of fuzzed(seed, 3, 5000)) {
    const result = outcome(() => {
      assert.deepEqual(Buffer.from(encodeBencode(decodeBencode(variant))), variant)
      taken++
    })
    assert.match(result, /^(ok|BENCODE_MALFORMED)$/)
  }
  assert.ok(taken > 50, `${taken} taken`)
})
