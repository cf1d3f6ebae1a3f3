import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillIn, hostnamePattern, isPattern, needsIndex, tellsApart } from '../../src/hostname-pattern.js'

const facts = { id: '52:54:00:ab:cd:ef', rack: '10.1.0.0/24', index: 7, serial: 'ABC/12 ' }

test('places are filled in, numbers with zeros before them', () => {
  const cases: [string, string][] = [
    ['rig{index}', 'rig7'],
    ['rig{index:3}', 'rig007'],
    ['rig{index:1}', 'rig7'],
    ['{mac}', '525400abcdef'],
    ['{rack}-{index:2}', '10-1-0-0-24-07'],
    ['x-{serial}', 'x-abc-12'],
    ['Bench', 'Bench'],
  ]
  for (const [pattern, name] of cases) {
    assert.ok(hostnamePattern.safeParse(pattern).success, pattern)
    assert.equal(fillIn(pattern, facts), name)
  }
  assert.equal(fillIn('rig{index:3}', { ...facts, index: 1234 }), 'rig1234')
})

test('what is not known of a node, or too long, gives no name', () => {
  assert.equal(fillIn('rig{index}', { ...facts, index: undefined }), undefined)
  assert.equal(fillIn('{mac}', { ...facts, id: 'rig7' }), undefined)
  assert.equal(fillIn('a{serial}', { ...facts, serial: undefined }), undefined)
  assert.equal(fillIn('a{rack}', { ...facts, rack: '###' }), undefined)
  assert.equal(fillIn('{rack}{index}', { ...facts, rack: 'x'.repeat(63) }), undefined)
})

test('what is no host name is refused', () => {
  const wrong = [
    '',
    '-a',
    'a-',
    'a b',
    'a_b',
    '{index',
    '{product}',
    '{mac:3}',
    '{index:0}',
    '{index:10}',
    'a{}',
    'x'.repeat(64),
  ]
  for (const pattern of wrong) assert.ok(!hostnamePattern.safeParse(pattern).success, pattern)
  // A pattern that could be read in many ways must not take long.
  assert.ok(!hostnamePattern.safeParse(`${'a{index}'.repeat(20_000)}!`).success)
})

test('which patterns are for several nodes', () => {
  const seen = ['a', 'a{rack}', 'a{mac}', 'a{serial}', 'a{index:2}'].map((pattern) => [
    isPattern(pattern),
    tellsApart(pattern),
    needsIndex(pattern),
  ])
  assert.deepEqual(seen, [
    [false, false, false],
    [true, false, false],
    [true, true, false],
    [true, true, false],
    [true, true, true],
  ])
})
