import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePackage, sourcesList } from '../../image/debian.js'

test('a suite’s sources include its updates and security archive', () => {
  assert.equal(
    sourcesList({ suite: 'bookworm', mirror: 'http://deb.debian.org/debian/' }, '/k.gpg'),
    [
      'deb [signed-by=/k.gpg] http://deb.debian.org/debian bookworm main',
      'deb [signed-by=/k.gpg] http://deb.debian.org/debian bookworm-updates main',
      'deb [signed-by=/k.gpg] http://deb.debian.org/debian-security bookworm-security main',
      '',
    ].join('\n'),
  )
  assert.equal(sourcesList({ suite: 'sid', mirror: 'http://m/x' }), 'deb http://m/x sid main\n')
})

test('a package is known by its first stanza with a file', () => {
  const sha256 = '0123456789abcdef'.repeat(4)
  const text = `Package: linux-image-amd64\nVersion: 1:2-3\nDepends: a (= 1), b\nSize: 1480\nSHA256: ${sha256}\n\nPackage: other\n`
  assert.deepEqual(parsePackage(text), {
    name: 'linux-image-amd64',
    version: '1:2-3',
    depends: 'a (= 1), b',
    sizeBytes: 1480,
    sha256,
  })
  assert.equal(parsePackage(''), undefined)
  assert.equal(parsePackage('Package: installed-only\nVersion: 1\n'), undefined)
})
