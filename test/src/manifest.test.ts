import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { manifestVectorFiles, VECTORS_DIR } from '../../scripts/manifest-vectors.js'
import { artifact, bodyOf, KEY, type ManifestCase, sampleManifest } from '../../scripts/vectors/sample.js'
import { encodeCanonicalJson } from '../../src/canonical-json.js'
import { MANIFEST_BYTES_MAX } from '../../src/limits.js'
import { encodeManifest, type Manifest, openManifest, signManifest } from '../../src/manifest.js'
import { fuzzed, outcome } from '../fuzz.js'

const PUBLIC = createPublicKey(KEY)
const SAMPLE = sampleManifest()
const OWN = { nonce: SAMPLE.nonce, node: SAMPLE.node.id }

function publicKey(raw: string) {
  const head = Buffer.from('302a300506032b6570032100', 'hex')
  return createPublicKey({
    key: Buffer.concat([head, Buffer.from(raw, 'base64')]),
    format: 'der',
    type: 'spki',
  })
}

for (const [file, made] of manifestVectorFiles()) {
  const text = readFileSync(join(VECTORS_DIR, file), 'utf8')
  test(`${file} is what the program makes`, () => {
    assert.ok(text === made, 'run node dist/scripts/manifest-vectors.js')
  })
  for (const one of JSON.parse(text) as ManifestCase[]) {
    test(`vector: ${one.name}`, () => {
      const body = Buffer.from(one.body_base64, 'base64')
      assert.equal(
        outcome(() => openManifest(body, publicKey(one.public_key_base64), one)),
        one.expect,
      )
    })
  }
}

test('what is encoded and signed is what is opened', () => {
  const body = signManifest(encodeManifest(SAMPLE), KEY)
  assert.deepEqual(openManifest(body, PUBLIC, OWN), SAMPLE)
  assert.equal(Buffer.from(body).toString('latin1', 0, 22), 'bootswarm-manifest-v1 ')
  assert.equal(body[110], 0x0a)
})

test('the server refuses to make what the agent would refuse', () => {
  const limit = (changes: Partial<Manifest>) => outcome(() => encodeManifest({ ...SAMPLE, ...changes }))
  assert.equal(limit({ version: 0 }), 'MANIFEST_LIMIT')
  assert.equal(limit({ site: '' }), 'MANIFEST_LIMIT')
  assert.equal(limit({ time_s: 1.5 }), 'MANIFEST_MALFORMED')
  assert.equal(limit({ extra: 1 } as Partial<Manifest>), 'MANIFEST_UNKNOWN_FIELD')
})

test('a manifest of more than 4 MiB is neither made nor read', () => {
  const origins = new Array<string>(8).fill(`https://10.0.0.1/${'x'.repeat(2031)}`)
  const artifacts = Array.from({ length: 256 }, (_, i) => ({
    ...artifact('plugin', `p${i}`, 'tar', 1, 16_384),
    origins,
  }))
  assert.equal(
    outcome(() => encodeManifest({ ...SAMPLE, artifacts })),
    'MANIFEST_LIMIT',
  )
  const body = bodyOf(' '.repeat(MANIFEST_BYTES_MAX))
  assert.equal(
    outcome(() => openManifest(body, PUBLIC, OWN)),
    'MANIFEST_MALFORMED',
  )
})

test('no mutation of a signed body is taken, and none crashes', () => {
  const body = bodyOf(encodeCanonicalJson(SAMPLE))
  for (const bytes of fuzzed(body, 1, 2000)) {
    const result = outcome(() => openManifest(bytes, PUBLIC, OWN))
    assert.ok(['MANIFEST_MALFORMED', 'MANIFEST_BAD_SIGNATURE'].includes(result), result)
  }
})

test('mutated JSON under a right signature is taken only if it is canonical', () => {
  const json = encodeCanonicalJson(SAMPLE)
  for (const bytes of fuzzed(json, 2, 2000)) {
    const body = bodyOf(bytes)
    const result = outcome(() => {
      const manifest = openManifest(body, PUBLIC, OWN)
      assert.deepEqual(Buffer.from(encodeManifest(manifest)), Buffer.from(bytes))
    })
    assert.match(result, /^(ok|MANIFEST_[A-Z_]+)$/)
  }
})
