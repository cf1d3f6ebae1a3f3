import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCanonicalJson, parseCanonicalJson } from '../../src/canonical-json.js'
import { outcome } from '../fuzz.js'

const encode = (value: unknown): string => Buffer.from(encodeCanonicalJson(value)).toString()

test('the bytes of values', () => {
  const cases: [unknown, string][] = [
    [{ b: 1, a: [true, false, ''], B: {}, aa: [] }, '{"B":{},"a":[true,false,""],"aa":[],"b":1}'],
    ['\b\t\n\f\r\u0000\u001f"\\/\u007f', '"\\b\\t\\n\\f\\r\\u0000\\u001f\\"\\\\/\u007f"'],
    ['é€😀\u2028', '"é€😀\u2028"'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [{ 10: 0, 9: 0 }, '{"10":0,"9":0}'],
    [1e15, '1000000000000000'],
  ]
  for (const [value, text] of cases) {
    assert.equal(encode(value), text)
    assert.deepEqual(parseCanonicalJson(Buffer.from(text)), value)
  }
})

test('what canonical JSON cannot hold', () => {
  const wrong = [
    null,
    undefined,
    1.5,
    -1,
    -0,
    Number.NaN,
    2 ** 53,
    1n,
    '\ud800',
    { é: 1 },
    [null],
    { a: undefined },
  ]
  for (const value of wrong)
    assert.equal(
      outcome(() => encode(value)),
      'MANIFEST_MALFORMED',
      String(value),
    )
  let deep: unknown = 0
  for (let i = 0; i < 100_000; i++) deep = [deep]
  assert.equal(
    outcome(() => encode(deep)),
    'MANIFEST_MALFORMED',
  )
})

test('the error says where', () => {
  assert.throws(() => encode({ a: [{ b: 1.5 }] }), {
    message: 'a[0].b is 1.5, not an integer from 0 to 2^53-1',
  })
})
