import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { compareVersions } from '../../src/version-order.js'

/** Each older than the next. */
const rising: readonly (readonly string[])[] = [
  ['vmlinuz-6.1.0-9-amd64', 'vmlinuz-6.1.0-10-amd64', 'vmlinuz-6.1.0-49-amd64', 'vmlinuz-6.12.1-1-amd64'],
  ['vmlinuz-6.1.0-rc1', 'vmlinuz-6.1.0-rc10', 'vmlinuz-6.1.0'],
  ['vmlinuz-6.1~rc7-amd64', 'vmlinuz-6.1-amd64'],
  ['base-9.tar.gz', 'base-10.tar.gz', 'base-100.tar.gz'],
  ['base-2.0-beta2.tar.gz', 'base-2.0-rc1.tar.gz', 'base-2.0.tar.gz', 'base-2.0.1.tar.gz'],
  ['base-2026-09-30.tar.zst', 'base-2026-10-01.tar.zst'],
  ['a', 'a1', 'a2', 'a10', 'ab', 'b'],
  ['1.0~', '1.0', '1.0a', '1.0+b'],
  ['0009', '0010', '9999999999999999999999', '10000000000000000000000'],
]

test('versions are compared as versions', () => {
  for (const names of rising) {
    for (const [i, a] of names.entries()) {
      for (const [j, b] of names.entries()) {
        assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} and ${b}`)
      }
    }
  }
})

test('rc is a release candidate only where it stands for itself', () => {
  assert.ok(compareVersions('arch-1', 'arch') > 0)
  assert.ok(compareVersions('src-1', 'src') > 0)
  assert.ok(compareVersions('marc2', 'marc') > 0)
})

test('equal versions are ordered by their bytes, so that the order is the same everywhere', () => {
  assert.ok(compareVersions('a01', 'a1') < 0)
  assert.equal(compareVersions('a1', 'a1'), 0)
})

test('where no pre-release is named the order is that of dpkg', (t) => {
  const names = ['1', '1.0', '1.0.1', '1.0.10', '1.0.9', '1.0~a', '1.0+x', '1.10', '2']
  try {
    execFileSync('dpkg', ['--version'], { stdio: 'ignore' })
  } catch {
    return t.skip('needs dpkg')
  }
  const isOlder = (a: string, b: string) =>
    spawnSync('dpkg', ['--compare-versions', a, 'lt', b], { stdio: 'ignore' }).status === 0
  for (const a of names) {
    for (const b of names) assert.equal(compareVersions(a, b) < 0, isOlder(a, b), `${a} ${b}`)
  }
})
