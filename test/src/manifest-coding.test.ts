import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync, inflateSync } from 'node:zlib'
import { sampleManifest } from '../../scripts/vectors/sample.js'
import { encodeManifest } from '../../src/manifest.js'
import { encodeManifestBody, MANIFEST_DICTIONARY } from '../../src/manifest-coding.js'

test('the agent has the same dictionary', () => {
  const file = readFileSync(join('initramfs-agent', 'src', 'core', 'manifest', 'dictionary.txt'))
  assert.ok(file.equals(MANIFEST_DICTIONARY))
})

test('a manifest goes through bw1 and comes out again, shorter than with gzip', async () => {
  const plain = Buffer.from(encodeManifest(sampleManifest()))
  const coded = await encodeManifestBody(plain)
  assert.ok(inflateSync(coded, { dictionary: MANIFEST_DICTIONARY }).equals(plain))
  assert.ok(coded.length < gzipSync(plain).length - 200, `${coded.length} bytes`)
})

const cases = JSON.parse(readFileSync(join('test', 'vectors', 'manifest-coding.json'), 'utf8')) as {
  name: string
  coded: string
  plain: string | null
}[]

for (const { name, coded, plain } of cases) {
  if (plain === null) continue
  test(`golden vector: ${name}`, () => {
    const bytes = inflateSync(Buffer.from(coded, 'base64'), { dictionary: MANIFEST_DICTIONARY })
    assert.equal(bytes.toString('base64'), plain)
  })
}
