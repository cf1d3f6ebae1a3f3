import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareNames, judgeName } from '../../../server/catalog/names.js'

test('takes ordinary names', () => {
  for (const name of [
    'base.tar.gz',
    'coinboot_nvidia_1.2_20220413.1200.tar.gz',
    'vmlinuz',
    'ä ö.cpio',
    'a'.repeat(128),
  ]) {
    assert.equal(judgeName(name).kind, 'artifact', name)
  }
})

test('leaves out what editors and copy tools make while they work', () => {
  const names = [
    '.hidden',
    '.base.tar.gz.Xy12',
    'base~',
    '#base#',
    'x.swp',
    'x.part',
    'x.tmp',
    'x.crdownload',
    '4913',
    'README.md',
    'lost+found',
  ]
  for (const name of names) assert.equal(judgeName(name).kind, 'ignored', name)
})

test('refuses names that cannot stand in a manifest or a log', () => {
  for (const name of [
    'a'.repeat(129),
    'ä'.repeat(65),
    'bad\nname',
    'bad\u007f',
    'bad\ufffd',
    'back\\slash',
  ]) {
    assert.equal(judgeName(name).kind, 'invalid', JSON.stringify(name))
  }
})

test('orders by bytes, not by locale or UTF-16', () => {
  const names = ['b', 'B', 'a', '\u{1f600}', '\uff5e', 'ä']
  assert.deepEqual(names.sort(compareNames), ['B', 'a', 'b', 'ä', '\uff5e', '\u{1f600}'])
})
