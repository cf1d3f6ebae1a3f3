import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseArtifacts, isChosenPlugin } from '../../../server/catalog/choice.js'
import type { CatalogKind } from '../../../server/catalog/names.js'
import type { CatalogArtifact } from '../../../server/catalog/versions.js'

function artifact(kind: CatalogKind, name: string): CatalogArtifact {
  const torrent = { infohash: name, pieceLengthBytes: 16384, piecesBase64: '' }
  return { kind, name, sizeBytes: 1, sha256: name, format: 'tar', modifiedS: 0, torrent }
}

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
