import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { compressionOf, detectFormat, headBytes, isForAgents } from '../../archive/format.js'
import { checkout } from '../support/scratch.js'

let dir = ''
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'bootswarm-format-'))
  writeFileSync(join(dir, 'data'), randomBytes(200_000))
})
after(() => rmSync(dir, { recursive: true }))

const tar = (...flags: string[]) =>
  execFileSync('tar', [...flags, '-cf', '-', '-C', dir, 'data'], { maxBuffer: 1 << 24 })
const head = (bytes: Buffer) => bytes.subarray(0, headBytes)

interface Case {
  readonly about: string
  readonly name: string
  readonly file: string
  readonly compression: string | null
  readonly inside: string
  readonly agent: 'unpacks' | 'refuses'
}

test('what real tools pack is told as the agent tells it', () => {
  const cases = JSON.parse(readFileSync(join(checkout, 'test/vectors/format.json'), 'utf8')) as Case[]
  assert.ok(cases.length > 20)
  for (const { about, name, file, compression, inside, agent } of cases) {
    const bytes = Buffer.from(file, 'base64')
    assert.equal(compressionOf(bytes) ?? null, compression, about)
    assert.equal(detectFormat(bytes, name), inside, about)
    assert.equal(isForAgents(compressionOf(bytes)) && inside !== 'raw', agent === 'unpacks', about)
  }
})

test('recognises tar in its dialects, plain and in gzip, whatever its name', () => {
  for (const dialect of ['gnu', 'pax', 'ustar', 'v7']) {
    const bytes = tar(`--format=${dialect}`)
    assert.equal(detectFormat(head(bytes), 'x'), 'tar', dialect)
    assert.equal(detectFormat(head(gzipSync(bytes)), 'x'), 'tar', `${dialect} in gzip`)
  }
})

test('takes the name at its word where xz or zstd is around', () => {
  const xz = Buffer.from('fd377a585a0000', 'hex')
  const zstd = Buffer.from('28b52ffd00', 'hex')
  for (const bytes of [xz, zstd]) {
    assert.equal(detectFormat(bytes, 'a.tar.xz'), 'tar')
    assert.equal(detectFormat(bytes, 'a.TXZ'), 'tar')
    assert.equal(detectFormat(bytes, 'a.cpio.zst'), 'cpio')
    assert.equal(detectFormat(bytes, 'initramfs.xz'), 'cpio')
    assert.equal(detectFormat(bytes, 'a.bin'), 'raw')
  }
})

test('recognises cpio and squashfs', () => {
  assert.equal(detectFormat(Buffer.from('070701000000'), 'x'), 'cpio')
  assert.equal(detectFormat(gzipSync(Buffer.from('070701000000')), 'x'), 'cpio')
  assert.equal(detectFormat(Buffer.from('hsqs1234'), 'x'), 'squashfs')
  // Nothing mounts it so.
  assert.equal(detectFormat(gzipSync(Buffer.from('hsqs1234')), 'x'), 'raw')
})

test('the rest is raw', () => {
  assert.equal(detectFormat(randomBytes(4096), 'x.tar'), 'raw')
  assert.equal(detectFormat(gzipSync(randomBytes(4096)), 'x'), 'raw')
  assert.equal(detectFormat(Buffer.alloc(1024), 'zeros.tar'), 'raw')
  assert.equal(detectFormat(Buffer.from([0x1f, 0x8b]), 'damaged.bin'), 'raw')
  assert.equal(detectFormat(Buffer.alloc(0), 'empty'), 'raw')
})
