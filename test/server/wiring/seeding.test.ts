import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { renameSync } from 'node:fs'
import { test } from 'node:test'
import { type CatalogArtifact, LiveVersions, type StoredVersion } from '../../../server/catalog/versions.js'
import type { SeedTorrent } from '../../../server/swarm/seeder.js'
import { handOutOrder, Seeding } from '../../../server/wiring/seeding.js'
import { id, RawPeer, runSeeder, sampleTorrent } from '../swarm/helpers.js'

const hash = (letter: string) => letter.repeat(40)

function artifact(kind: 'rootfs' | 'plugin' | 'boot', letter: string): CatalogArtifact {
  const base = {
    kind,
    name: letter,
    sizeBytes: 1,
    sha256: letter.repeat(64),
    format: 'tar',
    modifiedS: 0,
  } as const
  if (kind === 'boot') return base
  return { ...base, torrent: { infohash: hash(letter), pieceLengthBytes: 16_384, piecesBase64: 'AAAA' } }
}

const version = (number: number, ...artifacts: CatalogArtifact[]): StoredVersion => ({
  version: number,
  createdMs: number,
  artifacts,
})

/** Seeding over a seeder that adds what it is told to add, in time that stands until it is moved. */
function bench() {
  const added: string[] = []
  const removed: string[] = []
  const sunk: (readonly string[])[] = []
  const told: string[] = []
  const failing = new Set<string>()
  let timers: { atMs: number; run: () => void }[] = []
  let nowMs = 0
  const seeding = new Seeding({
    seeder: {
      add: async ({ infohash, priority }: SeedTorrent) => {
        added.push(`${infohash[0]}${priority} at ${nowMs}`)
        if (failing.has(infohash)) throw new Error('no such file')
      },
      remove: async (infohash) => void removed.push(infohash),
    },
    sinks: [(infohashes) => sunk.push(infohashes)],
    pathOf: (sha256) => sha256,
    torrentOf: () => Uint8Array.of(),
    after: (ms, run) => {
      const timer = { atMs: nowMs + ms, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    onError: (error, { name }) => told.push(`${name}: ${(error as Error).message}`),
    onRecovered: ({ name }) => told.push(`${name} is back`),
  })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    seeding,
    added,
    removed,
    sunk,
    told,
    failing,
    pending: () => timers.length,
    settle,
    /** Runs what is due next. */
    next: async () => {
      const [timer] = timers.sort((a, b) => a.atMs - b.atMs)
      assert.ok(timer !== undefined)
      timers = timers.filter((other) => other !== timer)
      nowMs = timer.atMs
      timer.run()
      await settle()
    },
  }
}

const one = version(1, artifact('rootfs', 'a'), artifact('plugin', 'b'), artifact('boot', 'k'))
const two = version(2, artifact('rootfs', 'c'), artifact('plugin', 'b'), artifact('plugin', 'd'))

test('older versions are handed out first, within one the root before the plugins, each torrent once', () => {
  assert.deepEqual(handOutOrder(new LiveVersions([one, two])), [hash('a'), hash('b'), hash('c'), hash('d')])
  // Without the old version the new root goes before the plugin that was there before it.
  assert.deepEqual(handOutOrder(new LiveVersions([two])), [hash('c'), hash('b'), hash('d')])
})

test('follows the versions: adds, gives other priorities, removes, and tells the whole list', async () => {
  const { seeding, added, removed, sunk, settle } = bench()
  seeding.update(new LiveVersions([one]))
  seeding.update(new LiveVersions([one, two]))
  seeding.update(new LiveVersions([one, two]))
  assert.deepEqual(added.splice(0), ['a0 at 0', 'b1 at 0', 'c2 at 0', 'd3 at 0'])
  seeding.update(new LiveVersions([two]))
  assert.deepEqual(added, ['c0 at 0', 'd2 at 0'])
  assert.deepEqual(removed, [hash('a')])
  assert.deepEqual(
    sunk.map((infohashes) => infohashes.map(([letter]) => letter).join('')),
    ['ab', 'abcd', 'abcd', 'cbd'],
  )
  await settle()
})

test('what could not be added is tried again, less and less often, and said once', async () => {
  const { seeding, added, told, failing, settle, next } = bench()
  failing.add(hash('a'))
  seeding.update(new LiveVersions([one]))
  await settle()
  for (let n = 0; n < 8; n += 1) await next()
  const times = added.filter((text) => text.startsWith('a')).map((text) => Number(text.split(' ')[2]))
  assert.deepEqual(
    times.map((atMs, index) => atMs - (times[index - 1] ?? 0)),
    [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000],
  )
  assert.deepEqual(told, ['a: no such file'])
  failing.clear()
  await next()
  assert.deepEqual(told, ['a: no such file', 'a is back'])
})

test('what is not wanted any more is not tried again; what the seeder loses is', async () => {
  const { seeding, added, told, failing, settle, next, pending } = bench()
  failing.add(hash('a'))
  seeding.update(new LiveVersions([one]))
  await settle()
  assert.equal(pending(), 1)
  seeding.update(new LiveVersions([two]))
  assert.equal(pending(), 0)
  await settle()
  added.length = 0
  seeding.lost(hash('a'), new Error('unknown'))
  seeding.lost(hash('c'), new Error('too many files'))
  await next()
  assert.deepEqual(added, ['c0 at 1000'])
  assert.deepEqual(told, ['a: no such file', 'c: too many files', 'c is back'])
  seeding.lost(hash('c'), new Error('again'))
  seeding.stop()
  assert.equal(pending(), 0)
})

test('a real seeder serves a torrent whose file came late', { timeout: 120_000 }, async (t) => {
  const sample = await sampleTorrent(t, { sizeBytes: 100_000, pieceLength: 16_384 })
  const { seeder, port } = await runSeeder(t)
  renameSync(sample.path, `${sample.path}.away`)
  const failed: string[] = []
  const recovered = new EventEmitter()
  const seeding = new Seeding({
    seeder,
    sinks: [],
    pathOf: () => sample.path,
    torrentOf: () => sample.torrent,
    after: (_ms, run) => {
      renameSync(`${sample.path}.away`, sample.path)
      const timer = setImmediate(run)
      return () => clearImmediate(timer)
    },
    onError: (error) => failed.push((error as Error).message),
    onRecovered: () => recovered.emit('recovered'),
  })
  const torrent = { infohash: sample.infohash, pieceLengthBytes: 16_384, piecesBase64: '' }
  const root = { ...artifact('rootfs', 'a'), sizeBytes: sample.sizeBytes, torrent }
  const isRecovered = once(recovered, 'recovered')
  seeding.update(new LiveVersions([version(1, root)]))
  await isRecovered
  assert.match(failed.join(), /ENOENT/)
  const peer = new RawPeer(port)
  peer.greet(sample.infohash, { agent: true })
  assert.ok(await peer.take((message) => message.id === id.allowedFast))
  peer.close()
})
