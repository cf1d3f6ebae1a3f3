import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchesName } from '../../src/wildcard.js'

test('a star in a name stands for anything', () => {
  const cases: [string, string, boolean][] = [
    ['a', 'a', true],
    ['a', 'ab', false],
    ['*', '', true],
    ['a*', 'a', true],
    ['a*', 'abc', true],
    ['*.gz', 'a.tar.gz', true],
    ['*.gz', 'a.gz.sig', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'axbxc', true],
    ['a*b*c', 'axc', false],
    ['ab*ba', 'aba', false],
    ['a*b*b', 'ab', false],
    ['a**b', 'ab', true],
    ['a.c', 'abc', false],
    ['[a]', '[a]', true],
  ]
  for (const [pattern, name, expected] of cases)
    assert.equal(matchesName(pattern, name), expected, `${pattern} ${name}`)
  // However many stars there are, a name is looked at once for each.
  assert.equal(matchesName('*a'.repeat(64), `${'a'.repeat(63)}b`), false)
})
