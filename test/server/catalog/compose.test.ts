import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compose as composeWanted,
  type FileOutcome,
  type NamedOutcome,
  sameArtifacts,
} from '../../../server/catalog/compose.js'
import type { CatalogKind } from '../../../server/catalog/names.js'
import type { CatalogArtifact } from '../../../server/catalog/versions.js'
import { wantedArtifacts } from '../../../src/artifact-choice.js'
import { parseConfig } from '../../support/config.js'

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
/** What a configuration with this text names. */
const wanted = (text = '') => wantedArtifacts(parseConfig({ text, name: 'f' }))
const compose = (outcomes: readonly NamedOutcome[], last: readonly CatalogArtifact[], text = '') =>
  composeWanted(outcomes, last, wanted(text))
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

test('root file systems that profiles name are in a version, behind the one for every node', () => {
  const text = 'profiles: {gpu: {rootfs: gpu-*}, old: {rootfs: base-1}}\nnodes: [{match: a, rootfs: lab}]'
  const roots = ['gpu-9', 'gpu-10', 'base-1', 'base-2', 'lab', 'base-0'].map((name) => ready('rootfs', name))
  const { artifacts, problems } = compose([...roots, ready('plugin', 'p')], [], text)
  assert.deepEqual(names(artifacts), ['base-2', 'base-1', 'gpu-10', 'lab', 'p'])
  assert.deepEqual(
    problems.map(({ code, name }) => [code, name]),
    [
      ['ROOTFS_SURPLUS', 'gpu-9'],
      ['ROOTFS_SURPLUS', 'base-0'],
    ],
  )
})

test('a root file system that a profile names is not that of all others, unless there is no other', () => {
  const text = 'profiles: {gpu: {rootfs: gpu}}'
  const first = (...files: string[]) =>
    names(
      compose(
        files.map((name) => ready('rootfs', name)),
        [],
        text,
      ).artifacts,
    )[0]
  assert.equal(first('base', 'gpu'), 'base')
  assert.equal(first('gpu'), 'gpu')
})

test('where the profile of every node names a root file system there is no other one for every node', () => {
  const text = 'profiles: {b: {rootfs: base-1}, default: {extends: b}, gpu: {rootfs: gpu}}'
  const roots = ['base-2', 'base-1', 'gpu'].map((name) => ready('rootfs', name))
  const { artifacts, problems } = compose(roots, [], text)
  assert.deepEqual(names(artifacts), ['base-1', 'gpu'])
  assert.deepEqual(problems[0]?.message, 'not used: profiles name others, or a newer one')
})

test('what a profile names and is not there is reported; the rest is published', () => {
  const text = 'profiles: {gpu: {rootfs: gpu-*, plugins: [p, "q-*", "!r"]}}'
  const { artifacts, problems, refused } = compose([ready('rootfs', 'base'), ready('plugin', 'p')], [], text)
  assert.deepEqual([names(artifacts), refused], [['base', 'p'], false])
  assert.deepEqual(
    problems.map(({ code, kind, name }) => [code, kind, name]),
    [
      ['PROFILE_ARTIFACT_MISSING', 'rootfs', 'gpu-*'],
      ['PROFILE_ARTIFACT_MISSING', 'plugin', 'q-*'],
    ],
  )
  assert.match(problems[0]?.message ?? '', /^profile gpu names it/)
})

test('a bad new file leaves the older one that a profile’s pattern fits in use', () => {
  const bad = other('rootfs', 'gpu-2', { kind: 'bad', keepsLast: true })
  const outcomes = [ready('rootfs', 'base'), ready('rootfs', 'gpu-1'), bad]
  const text = 'profiles: {gpu: {rootfs: gpu-*}}'
  assert.deepEqual(names(compose(outcomes, [], text).artifacts), ['base', 'gpu-1'])
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
  // A node boots one root file system, however many there are.
  const roots = ['a', 'b'].map((name) => ready('rootfs', name))
  assert.equal(compose([...many.slice(1), ...roots], [], 'profiles: {x: {rootfs: a}}').refused, false)
})

test('times of files do not make a version, contents, names and formats do', () => {
  const a = artifact('plugin', 'x')
  assert.ok(sameArtifacts([a], [{ ...a, modifiedS: 99 }]))
  assert.ok(!sameArtifacts([a], [{ ...a, sha256: 'f'.repeat(64) }]))
  assert.ok(!sameArtifacts([a], [{ ...a, name: 'y' }]))
  assert.ok(!sameArtifacts([a], [a, a]))
})
