import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PRINTABLE_LENGTH_MAX, printable, printableJson } from '../../src/text.js'

/** Every kind of character that may not reach a terminal as it is. */
const unsafe: readonly (readonly [string, string])[] = [
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\0', '\\u0000'],
  ['\u0007', '\\u0007'],
  ['\u001b', '\\u001b'],
  ['\u007f', '\\u007f'],
  ['\u0085', '\\u0085'],
  ['\u009b', '\\u009b'],
  ['\u00ad', '\\u00ad'],
  ['\u061c', '\\u061c'],
  ['\u200b', '\\u200b'],
  ['\u200d', '\\u200d'],
  ['\u200f', '\\u200f'],
  ['\u2028', '\\u2028'],
  ['\u2029', '\\u2029'],
  ['\u202e', '\\u202e'],
  ['\u2066', '\\u2066'],
  ['\u2069', '\\u2069'],
  ['\u3164', '\\u3164'],
  ['\ufeff', '\\ufeff'],
  ['\ue000', '\\ue000'],
  ['\uffff', '\\uffff'],
  ['\ud800', '\\ud800'],
  ['\udc00', '\\udc00'],
  ['\u{e0041}', '\\udb40\\udc41'],
]

test('what moves a cursor, hides or reorders is shown as an escape', () => {
  for (const [character, shown] of unsafe) {
    assert.equal(printable(`a${character}b`), `a${shown}b`)
    assert.equal(printableJson(`a${character}b`).slice(1, -1), `a${shown}b`)
  }
  const name = 'rig-1: „Größe“ 漢字 😀 \\ "x" ’…'
  assert.equal(printable(name), name)
})

test('a text that was made printable stays as it is', () => {
  for (const [character] of unsafe) {
    const once = printable(`${character} \\ "`)
    assert.equal(printable(once), once)
  }
})

test('lengths are bounded by characters, and none is cut in half', () => {
  assert.equal(printable('abcdef', 6), 'abcdef')
  assert.equal(printable('abcdefg', 6), 'abcdef…')
  assert.equal(printable('a\u001bbc', 6), 'a…', 'an escape is shown whole or not at all')
  assert.equal(printable('😀😀😀', 3), '😀😀😀')
  assert.equal(printable('😀😀😀😀', 3), '😀😀😀…')
  assert.equal(printable('x'.repeat(10_000_000)), `${'x'.repeat(PRINTABLE_LENGTH_MAX)}…`)
})

test('JSON says the same to a program, on one line or laid out', () => {
  const value = { [unsafe.map(([character]) => character).join('')]: unsafe, n: [1, null, true] }
  for (const indent of [undefined, 2]) {
    const text = printableJson(value, indent)
    assert.deepEqual(JSON.parse(text), value)
    assert.doesNotMatch(text, /(?!\n)[\p{C}\p{Zl}\p{Zp}]/u)
  }
  assert.equal(printableJson({ a: 1 }, 2), '{\n  "a": 1\n}')
})
