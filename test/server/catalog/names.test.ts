import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareNames, judgeName } from '../../../server/catalog/names.js'

test('takes ordinary names', () => {
  for (const name of [
    'base.tar.gz',
    'coinboot_nvidia_1.2_20220413.1200.tar.gz',
    'vmlinuz',
    'ä ö.cpio',
    'a'.repeat(128),
  ]) {
    assert.equal(judgeName(name).kind, 'artifact', name)
  }
})

test('companions and leftovers are nobody’s artifacts', () => {
  const archive = 'base.tar.gz'
  const endings = `sha256 sha512 sha256sum md5 b2 sig asc gpg minisig torrent zsync
    old bak orig rej save old-dkms dpkg-new dpkg-old dpkg-dist ucf-old rpmsave rpmnew
    part partial filepart crdownload download tmp aria2 swp`.split(/\s+/)
  const names = [
    ...endings.flatMap((ending) => [`${archive}.${ending}`, `vmlinuz.${ending.toUpperCase()}`]),
    `${archive}~`,
    `${archive}.~1~`,
    // What rsync and `bootswarm image` write to.
    `.${archive}.Xy12Zz`,
    `.${archive}.4711.part`,
    '.hidden',
    '#base#',
    '4913',
    'README.md',
    'SHA256SUMS',
    'sha512sums.txt',
    'CHECKSUMS',
    'initrd.img.old',
    'lost+found',
  ]
  for (const name of names) assert.equal(judgeName(name).kind, 'passed over', name)
})

test('a name that only looks like a leftover’s is an artifact’s', () => {
  for (const name of [
    'old.tar.gz',
    'backup-2.tar.gz',
    'checksummer.tar.gz',
    'stage1.sig.tar',
    'md5.tar.gz',
  ]) {
    assert.equal(judgeName(name).kind, 'artifact', name)
  }
})

test('refuses names that cannot stand in a manifest or a log', () => {
  for (const name of [
    'a'.repeat(129),
    'ä'.repeat(65),
    'bad\nname',
    'bad\u007f',
    'bad\ufffd',
    'back\\slash',
  ]) {
    assert.equal(judgeName(name).kind, 'invalid', JSON.stringify(name))
  }
})

test('orders by bytes, not by locale or UTF-16', () => {
  const names = ['b', 'B', 'a', '\u{1f600}', '\uff5e', 'ä']
  assert.deepEqual(names.sort(compareNames), ['B', 'a', 'b', 'ä', '\uff5e', '\u{1f600}'])
})
