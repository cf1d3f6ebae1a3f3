import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeStatus, type ServerStatus } from '../../../server/api/status.js'
import { type CatalogArtifact, LiveVersions } from '../../../server/catalog/versions.js'
import { BootAdmission } from '../../../server/netboot/admission.js'
import { checkout } from '../../support/scratch.js'

type Source = Parameters<typeof makeStatus>[0]

const torrent = { infohash: 'cd'.repeat(20), pieceLengthBytes: 16_384, piecesBase64: '' }
const artifact = (kind: CatalogArtifact['kind'], name: string): CatalogArtifact => ({
  ...{ kind, name, sizeBytes: 7, sha256: 'ab'.repeat(32), format: 'tar', modifiedS: 1 },
  ...(kind === 'boot' ? {} : { torrent }),
})

const source: Source = {
  site: 'test',
  uptimeS: 12,
  nowMs: 90_400,
  failing: [{ part: 'the catalog', code: 'PART_FAILED', message: 'EMFILE', times: 2, sinceMs: 30_000 }],
  catalog: {
    live: new LiveVersions([
      { version: 3, createdMs: 1, supersededMs: 2, artifacts: [] },
      { version: 4, createdMs: 2, artifacts: [artifact('rootfs', 'base.tar'), artifact('boot', 'vmlinuz')] },
    ]),
    problems: [{ code: 'ARCHIVE_MALFORMED', kind: 'plugin', name: 'a.tar', message: 'is cut' }],
    passedOver: [],
    progress: { file: 'rootfs/next.tar', done: 0.999 },
  } as unknown as Source['catalog'],
  nodes: { seen: 1, manifest: 2, downloading: 3, booted: 4, failed: 5, lost: 6 },
  largestRack: { name: '10.1.2.0/24', nodes: 240 },
  reports: { waiting: 7, refused: 9 },
  seeding: { nodes: 4, calmInS: null },
  ports: { http: 1, https: 2, seeder: 3, dht: 4, operators: 5 },
  streams: 5,
  connections: { open: 6, max: 7, refused: 8 },
  originBytes: { artifacts: 100, boot: 200 },
  seeder: { uploadedBytes: 300, running: true, restarts: 1 } as Source['seeder'],
  tracker: { torrents: 1, peers: 2, announces: 3, refused: 4 },
  netboot: {
    ...{ mode: 'proxy', running: true, restarts: 0, otherServers: ['10.0.0.9'], services: {} },
    programs: { directories: [], present: [], missing: [], install: '' },
    queue: new BootAdmission(8, () => 0).stats(),
  },
}

test('versions, files, problems and bytes stand where docs/protocol.md says', () => {
  const status = makeStatus(source)
  assert.equal(status.version, 4)
  assert.deepEqual(status.versions, [3, 4])
  assert.deepEqual(status.largest_rack, { name: '10.1.2.0/24', nodes: 240 })
  assert.equal(makeStatus({ ...source, largestRack: undefined }).largest_rack, null)
  assert.deepEqual(status.failing, [
    { part: 'the catalog', code: 'PART_FAILED', message: 'EMFILE', times: 2, for_s: 60 },
  ])
  assert.deepEqual(
    status.artifacts.map(({ name, size_bytes: size, infohash }) => [name, size, infohash]),
    [
      ['base.tar', 7, torrent.infohash],
      ['vmlinuz', 7, ''],
    ],
  )
  assert.deepEqual(status.problems, [{ code: 'ARCHIVE_MALFORMED', file: 'plugins/a.tar', message: 'is cut' }])
  // Not 100 before it is done.
  assert.deepEqual(status.hashing, { file: 'rootfs/next.tar', percent: 99 })
  assert.deepEqual(status.reports, { waiting: 7, refused: 9 })
  assert.deepEqual(status.seeding, { nodes: 4, calm_in_s: null })
  assert.equal(status.origin.https_bytes, 100)
  assert.equal(status.origin.boot_bytes, 200)
  assert.equal(status.origin.bittorrent_bytes, 300)
  assert.deepEqual(status.netboot.dhcp_servers, ['10.0.0.9'])
  assert.equal(status.netboot.queue.longest_wait_s, 0)
})

test('an empty catalog is version 0', () => {
  const live = new LiveVersions([])
  const status = makeStatus({ ...source, catalog: { ...source.catalog, live, progress: undefined } })
  assert.deepEqual(
    [status.version, status.versions, status.artifacts, status.hashing],
    [0, [], [], { file: '', percent: 0 }],
  )
})

test('no name of it is camel case, and all its members are those of docs/protocol.md', () => {
  const page = readFileSync(join(checkout, 'docs', 'protocol.md'), 'utf8')
  const section = /^### Status\n([\s\S]*?)^## /m.exec(page)?.[1] ?? ''
  const quoted = [...section.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
  const documented = new Set(quoted.flatMap((text) => text.match(/[a-z0-9_]+/g) ?? []))
  const status: ServerStatus = makeStatus(source)
  const names = (value: unknown): string[] => {
    if (typeof value !== 'object' || value === null) return []
    if (Array.isArray(value)) return value.flatMap(names)
    return Object.entries(value).flatMap(([name, inner]) => [name, ...names(inner)])
  }
  const { programs, queue, ...netboot } = status.netboot
  const all = names({ ...status, netboot: { ...netboot, programs: 0, queue: 0 } })
  assert.deepEqual(
    all.filter((name) => !documented.has(name)),
    [],
  )
  for (const name of names({ programs, queue })) assert.ok(documented.has(name), name)
  for (const name of all) assert.match(name, /^[a-z0-9_]+$/)
})
