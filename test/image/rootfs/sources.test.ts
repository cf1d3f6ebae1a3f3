import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mirrorAmong, releaseDateS, releaseEpochS, sourceLines } from '../../../image/rootfs/sources.js'

const lines = `https://deb.nodesource.com/node_20.x/|nodistro|. nodistro|. nodistro
http://mirror.site/debian/|trixie|Debian|Debian
http://security.site/debian-security/|bookworm-security|Debian|Debian-Security
http://near.site/debian/|bookworm|Debian|Debian
`

test('the mirror is that of this machine for the suite, else its mirror of another suite', () => {
  assert.equal(mirrorAmong(lines, 'bookworm'), 'http://near.site/debian')
  assert.equal(mirrorAmong(lines, 'sid'), 'http://mirror.site/debian')
  assert.equal(mirrorAmong('', 'sid'), undefined)
  assert.equal(mirrorAmong('http://archive.ubuntu.com/ubuntu/|noble|Ubuntu|Ubuntu\n', 'noble'), undefined)
})

test('a release has its updates and its security archive, a rolling one has neither', () => {
  assert.deepEqual(sourceLines('bookworm', 'http://m/debian', ['main', 'contrib']), [
    'deb http://m/debian bookworm main contrib',
    'deb http://m/debian bookworm-updates main contrib',
    'deb http://m/debian-security bookworm-security main contrib',
  ])
  assert.deepEqual(sourceLines('bookworm', 'http://m/other', ['main']), [
    'deb http://m/other bookworm main',
    'deb http://m/other bookworm-updates main',
  ])
  assert.deepEqual(sourceLines('sid', 'http://m/debian', ['main']), ['deb http://m/debian sid main'])
})

test('the date of a release stands for its packages, SOURCE_DATE_EPOCH wins', async () => {
  assert.equal(releaseDateS('Origin: Debian\nDate: Sat, 11 Jul 2026 10:16:41 UTC\n'), 1783765001)
  assert.throws(() => releaseDateS('Origin: Debian\n'), /no date/)
  assert.equal(await releaseEpochS('x', 'http://x', { SOURCE_DATE_EPOCH: '1700000000' }), 1700000000)
  await assert.rejects(releaseEpochS('x', 'http://x', { SOURCE_DATE_EPOCH: 'now' }), /no number of seconds/)
})
