/** Manifest vectors: what is right, and what is wrong with a member's presence, type or range. */

import { artifact, bodyOf, type Expect, entry, jsonOf, type ManifestCase, sampleManifest } from './sample.js'

type Changes = Readonly<Record<string, unknown>>

/** Manifests that must be taken. */
export function goodCases(): ManifestCase[] {
  const most = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`S${i}`, '']))
  return [
    made('every member', {}, 'ok'),
    made(
      'the least',
      {
        artifacts: [artifact('rootfs', 'r', 'raw', 1, 16_384)],
        dht: [],
        seeders: [],
        trackers: [],
        time_s: 0,
        version: 1,
        site: 's',
      },
      'ok',
    ),
    made(
      'the greatest numbers',
      {
        time_s: Number.MAX_SAFE_INTEGER,
        version: Number.MAX_SAFE_INTEGER,
        artifacts: [artifact('rootfs', 'r'.repeat(128), 'cpio', 3 * 4_194_304 - 1, 4_194_304)],
      },
      'ok',
    ),
    made(
      '256 settings, one of 4096 bytes',
      { node: node({ settings: { ...most, S0: 'é'.repeat(2048) } }) },
      'ok',
    ),
    made('sixteen pieces', { artifacts: [artifact('rootfs', 'r', 'tar', 16 * 16_384, 16_384)] }, 'ok'),
    made('seventeen pieces', { artifacts: [artifact('rootfs', 'r', 'tar', 16 * 16_384 + 1, 16_384)] }, 'ok'),
    made('the largest artifact', { artifacts: [artifact('rootfs', 'r', 'tar', 2 ** 40, 4_194_304)] }, 'ok'),
    made('a whole number of pieces', { artifacts: [artifact('rootfs', 'r', 'tar', 131_072, 65_536)] }, 'ok'),
  ]
}

/** Missing, unknown and mistyped members. */
export function shapeCases(): ManifestCase[] {
  const sample: Record<string, unknown> = { ...sampleManifest() }
  const missing = Object.keys(sample).map((name) => {
    const { [name]: _, ...rest } = sample
    return entry(`${name} is missing`, bodyOf(canonical(rest)), 'MANIFEST_MALFORMED')
  })
  const { hostname: _, ...noHostname } = sampleManifest().node
  return [
    ...missing,
    made('an unknown member', { zebra: 'x' }, 'MANIFEST_UNKNOWN_FIELD'),
    made('an unknown member of node', { node: node({ extra: 1 }) }, 'MANIFEST_UNKNOWN_FIELD'),
    made('an unknown member of an artifact', first({ md5: 'x' }), 'MANIFEST_UNKNOWN_FIELD'),
    made('a member called __proto__', { ['__proto__']: 'x' }, 'MANIFEST_UNKNOWN_FIELD'),
    made('node.hostname is missing', { node: noHostname }, 'MANIFEST_MALFORMED'),
    made('version is a string', { version: '7' }, 'MANIFEST_MALFORMED'),
    made('site is a number', { site: 7 }, 'MANIFEST_MALFORMED'),
    made('site is true', { site: true }, 'MANIFEST_MALFORMED'),
    made('artifacts is an object', { artifacts: {} }, 'MANIFEST_MALFORMED'),
    made('an artifact is a string', { artifacts: ['x'] }, 'MANIFEST_MALFORMED'),
    made('node is an array', { node: [] }, 'MANIFEST_MALFORMED'),
    made('settings is an array', { node: node({ settings: [] }) }, 'MANIFEST_MALFORMED'),
    made('a setting is a number', { node: node({ settings: { A: 1 } }) }, 'MANIFEST_MALFORMED'),
    made('a tracker is a number', { trackers: [1] }, 'MANIFEST_MALFORMED'),
    made('pieces is an array', first({ pieces: [] }), 'MANIFEST_MALFORMED'),
  ]
}

/** Values out of range, and infohashes that do not belong. */
export function limitCases(): ManifestCase[] {
  const settings = (value: Changes): Changes => ({ node: node({ settings: value }) })
  const good = artifact('rootfs', 'r', 'tar', 100_000, 65_536)
  const sixteen = artifact('rootfs', 'r', 'tar', 16 * 16_384, 16_384)
  const large = artifact('rootfs', 'r', 'tar', 17 * 16_384, 16_384)
  const hashes = (count: number): string => Buffer.alloc(20 * count).toString('base64')
  const limits: [string, Changes][] = [
    ['version 0', { version: 0 }],
    ['no artifact', { artifacts: [] }],
    [
      '257 artifacts',
      { artifacts: Array.from({ length: 257 }, (_, i) => artifact('plugin', `p${i}`, 'tar', 1, 16_384)) },
    ],
    ['an artifact twice', { artifacts: [good, good] }],
    ['nine trackers', { trackers: new Array<string>(9).fill('http://10.0.0.1:8480/announce') }],
    ['nine seeders', { seeders: new Array<string>(9).fill('10.0.0.1:6881') }],
    ['a seeder by name', { seeders: ['seeder:6881'] }],
    ['a port of 0', { seeders: ['10.0.0.1:0'] }],
    ['a port beyond 65535', { dht: ['10.0.0.1:65536'] }],
    ['a port with a leading zero', { dht: ['10.0.0.1:06881'] }],
    ['an address without a port', { dht: ['10.0.0.1'] }],
    ['an address with a leading zero', { dht: ['10.0.0.01:6881'] }],
    ['IPv6 without brackets', { dht: ['fd00::1:6881'] }],
    ['IPv6 with a zone', { dht: ['[fe80::1%eth0]:6881'] }],
    ['an empty site', { site: '' }],
    ['a long site', { site: 's'.repeat(65) }],
    ['a site of 33 letters in 66 bytes', { site: 'é'.repeat(33) }],
    ['an empty host name', { node: node({ hostname: '' }) }],
    ['a long host name', { node: node({ hostname: 'h'.repeat(64) }) }],
    ['a host name with a line feed', { node: node({ hostname: 'a\nb' }) }],
    ['an empty rack', { node: node({ rack: '' }) }],
    ['257 settings', settings(Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`S${i}`, ''])))],
    ['an empty setting name', settings({ '': 'x' })],
    ['a setting name with a dash', settings({ 'A-B': 'x' })],
    ['a setting name that begins with a digit', settings({ '1A': 'x' })],
    ['a long setting name', settings({ ['A'.repeat(65)]: 'x' })],
    ['a long setting value', settings({ A: 'x'.repeat(4097) })],
    ['a long setting value in few letters', settings({ A: '€'.repeat(1366) })],
    ['a setting with a line feed', settings({ A: 'x\ny' })],
    ['a setting with NUL', settings({ A: 'x\0y' })],
    ['an unknown format', first({ format: 'zip' })],
    ['an unknown kind', first({ kind: 'kernel' })],
    ['a name with a slash', first({ name: 'a/b' })],
    ['a name of two dots', first({ name: '..' })],
    ['an empty name', first({ name: '' })],
    ['a name with NUL', first({ name: 'a\0b' })],
    ['a long name', first({ name: 'n'.repeat(129) })],
    ['a long name in few letters', first({ name: 'é'.repeat(65) })],
    ['no origin', first({ origins: [] })],
    ['nine origins', first({ origins: new Array<string>(9).fill('https://10.0.0.1/x') })],
    ['an origin over HTTP', first({ origins: ['http://10.0.0.1/x'] })],
    ['a size of 0', first({ size_bytes: 0, pieces: '' })],
    ['a size beyond 2^40', first({ size_bytes: 2 ** 40 + 1 })],
    ['a piece length that is no power of two', first({ piece_length: 65_537 })],
    ['a piece length of 8192', { artifacts: [artifact('rootfs', 'r', 'tar', 8192, 8192)] }],
    ['a piece length of 8 MiB', { artifacts: [artifact('rootfs', 'r', 'tar', 8192, 8_388_608)] }],
    ['a piece length of 0', first({ piece_length: 0 })],
    ['a piece too few', first({ size_bytes: 131_073 })],
    ['a piece too many', first({ size_bytes: 65_536 })],
    ['seventeen pieces with their hashes', { artifacts: [{ ...large, pieces: hashes(17) }] }],
    ['seventeen pieces with the hash of one', { artifacts: [{ ...large, pieces: hashes(1) }] }],
    ['sixteen pieces without their hashes', { artifacts: [{ ...sixteen, pieces: '' }] }],
    ['pieces cut', first({ pieces: Buffer.alloc(39).toString('base64') })],
    ['pieces not base64', first({ pieces: '*'.repeat(56) })],
    ['pieces with bits in the padding', first({ pieces: `${good.pieces.slice(0, -2)}B=` })],
    ['an infohash in upper case', first({ infohash: 'AB'.repeat(20) })],
    ['a short infohash', first({ infohash: 'ab'.repeat(19) })],
    ['a short sha256', first({ sha256: 'ab'.repeat(31) })],
  ]
  return [
    ...limits.map(([name, changes]) => made(name, changes, 'MANIFEST_LIMIT')),
    made('an infohash of another artifact', first({ infohash: good.infohash }), 'MANIFEST_BAD_INFOHASH'),
    made('another name under the same infohash', first({ name: 'other.tar' }), 'MANIFEST_BAD_INFOHASH'),
  ]
}

function made(name: string, changes: Changes, expect: Expect): ManifestCase {
  return entry(name, bodyOf(jsonOf(changes)), expect)
}

function node(changes: Changes): Changes {
  return { ...sampleManifest().node, ...changes }
}

/** The sample with its first artifact changed. */
function first(changes: Changes): Changes {
  const [head, ...rest] = sampleManifest().artifacts
  return { artifacts: [{ ...head, ...changes }, ...rest] }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
