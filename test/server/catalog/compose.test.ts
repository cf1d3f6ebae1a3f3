import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compose,
  type FileOutcome,
  type NamedOutcome,
  sameArtifacts,
} from '../../../server/catalog/compose.js'
import type { CatalogKind } from '../../../server/catalog/names.js'
import type { CatalogArtifact } from '../../../server/catalog/versions.js'

function artifact(
  kind: CatalogKind,
  name: string,
  sha256 = 'a'.repeat(64),
  piecesBase64 = 'AAAA',
): CatalogArtifact {
  const torrent = { infohash: sha256.slice(0, 40), pieceLengthBytes: 16384, piecesBase64 }
  const base = { kind, name, sizeBytes: 1, sha256, format: 'tar' as const, modifiedS: 0 }
  return kind === 'boot' ? base : { ...base, torrent }
}
function ready(kind: CatalogKind, name: string, sha256?: string): NamedOutcome {
  return { kind, name, outcome: { kind: 'ready', artifact: artifact(kind, name, sha256) } }
}
function other(kind: CatalogKind, name: string, outcome: FileOutcome): NamedOutcome {
  return { kind, name, outcome }
}
const names = (artifacts: readonly CatalogArtifact[]) => artifacts.map(({ name }) => name)

test('unpack order: root file system, plugins by bytes, boot files', () => {
  const outcomes = [
    ready('boot', 'vmlinuz'),
    ready('plugin', 'b'),
    ready('plugin', 'B'),
    ready('rootfs', 'z'),
    ready('plugin', 'a'),
  ]
  assert.deepEqual(names(compose(outcomes, []).artifacts), ['z', 'B', 'a', 'b', 'vmlinuz'])
})

test('of two root file systems the last by name is used, the other reported', () => {
  const { artifacts, problems } = compose([ready('rootfs', 'base-1'), ready('rootfs', 'base-2')], [])
  assert.deepEqual(names(artifacts), ['base-2'])
  assert.deepEqual(
    problems.map(({ code, name }) => [code, name]),
    [['ROOTFS_SURPLUS', 'base-1']],
  )
})

test('a bad new root file system leaves the old one in use', () => {
  const outcomes = [ready('rootfs', 'base-1'), other('rootfs', 'base-2', { kind: 'bad', keepsLast: true })]
  assert.deepEqual(names(compose(outcomes, []).artifacts), ['base-1'])
})

test('a file that went bad keeps its last good content; one that is no file any more does not', () => {
  const last = [artifact('rootfs', 'base'), artifact('plugin', 'x', 'b'.repeat(64))]
  const kept = compose(
    [ready('rootfs', 'base'), other('plugin', 'x', { kind: 'bad', keepsLast: true })],
    last,
  )
  assert.ok(sameArtifacts(kept.artifacts, last))
  const dropped = compose(
    [ready('rootfs', 'base'), other('plugin', 'x', { kind: 'bad', keepsLast: false })],
    last,
  )
  assert.deepEqual(names(dropped.artifacts), ['base'])
})

test('one pending file makes all wait', () => {
  assert.equal(
    compose([ready('rootfs', 'base'), other('plugin', 'x', { kind: 'pending' })], []).pending,
    true,
  )
  assert.equal(compose([ready('rootfs', 'base')], []).pending, false)
})

test('what no manifest can hold is refused', () => {
  const many = Array.from({ length: 256 }, (_, n) => ready('plugin', `p${n}`))
  assert.equal(compose(many, []).refused, false)
  const tooMany = compose([...many, ready('rootfs', 'base')], [])
  assert.equal(tooMany.refused, true)
  assert.equal(tooMany.problems[0]?.code, 'MANIFEST_LIMIT')
})

test('times of files do not make a version, contents, names and formats do', () => {
  const a = artifact('plugin', 'x')
  assert.ok(sameArtifacts([a], [{ ...a, modifiedS: 99 }]))
  assert.ok(!sameArtifacts([a], [{ ...a, sha256: 'f'.repeat(64) }]))
  assert.ok(!sameArtifacts([a], [{ ...a, name: 'y' }]))
  assert.ok(!sameArtifacts([a], [a, a]))
})
