import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseArtifacts, isChosenPlugin, matchesName } from '../../../server/catalog/choice.js'
import type { CatalogKind } from '../../../server/catalog/names.js'
import type { CatalogArtifact } from '../../../server/catalog/versions.js'

function artifact(kind: CatalogKind, name: string): CatalogArtifact {
  const torrent = { infohash: name, pieceLengthBytes: 16384, piecesBase64: '' }
  return { kind, name, sizeBytes: 1, sha256: name, format: 'tar', modifiedS: 0, torrent }
}

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

test('the last name that fits a plugin decides', () => {
  const names = ['10-gpu', '20-ssh', '30-miner']
  const chosen = (...patterns: string[]) => names.filter((name) => isChosenPlugin(name, patterns))
  assert.deepEqual(chosen(), names)
  assert.deepEqual(chosen('20-ssh'), ['20-ssh'])
  assert.deepEqual(chosen('!20-*'), ['10-gpu', '30-miner'])
  assert.deepEqual(chosen('*', '!20-*'), ['10-gpu', '30-miner'])
  assert.deepEqual(chosen('10-gpu', '!*'), [])
  assert.deepEqual(chosen('!*', '30-*'), ['30-miner'])
  assert.deepEqual(chosen('nothing'), [])
})

test('a node’s artifacts: its root file system, then its plugins, no boot files', () => {
  const version = {
    version: 1,
    createdMs: 0,
    artifacts: [
      artifact('rootfs', 'base'),
      artifact('rootfs', 'gpu-10'),
      artifact('rootfs', 'gpu-9'),
      artifact('plugin', 'a'),
      artifact('plugin', 'b'),
      artifact('boot', 'vmlinuz'),
    ],
  }
  const chosen = (rootfs: string | undefined, ...plugins: string[]) =>
    chooseArtifacts(version, { rootfs, plugins })?.map(({ name }) => name)
  assert.deepEqual(chosen(undefined), ['base', 'a', 'b'])
  assert.deepEqual(chosen('gpu-*', 'b'), ['gpu-10', 'b'])
  assert.deepEqual(chosen('gpu-9', '!a'), ['gpu-9', 'b'])
  assert.equal(chosen('vmlinuz'), undefined)
  assert.equal(chosen('other'), undefined)
})
