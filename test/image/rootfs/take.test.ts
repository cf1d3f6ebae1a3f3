import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkout, scratch } from '../../support/scratch.js'

/** A place with a small root of which archives are made, and the real command beside it. */
function place(t: TestContext) {
  const dir = scratch(t)
  const root = join(dir, 'tree')
  mkdirSync(join(root, 'usr/sbin'), { recursive: true })
  symlinkSync('usr/sbin', join(root, 'sbin'))
  writeFileSync(join(root, 'usr/sbin/init'), '#!/bin/sh\n', { mode: 0o755 })
  const sh = (script: string) => execFileSync('bash', ['-euc', script], { cwd: dir, stdio: 'ignore' })
  const take = (...args: string[]) => {
    const command = [join(checkout, 'dist/cli/bootswarm.js'), 'image', 'rootfs', '--from', ...args]
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: dir, encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  const rootfs = join(dir, 'artifacts/rootfs')
  const there = () => (existsSync(rootfs) ? readdirSync(rootfs).sort() : [])
  return { dir, sh, take, there, rootfs }
}

test('what agents read is taken as it is, byte for byte', (t) => {
  const { dir, sh, take, there, rootfs } = place(t)
  sh('tar -C tree -czf base.tgz .; tar -C tree -cJf other.tar.xz .; mksquashfs tree root.sqfs -quiet')
  for (const name of ['base.tgz', 'other.tar.xz', 'root.sqfs']) {
    const { status, stderr } = take(name)
    assert.equal(status, 0, stderr)
    assert.match(stderr, /taken as it is/)
  }
  assert.deepEqual(there(), ['base.tar.gz', 'other.tar.xz', 'root.squashfs'])
  assert.deepEqual(readFileSync(join(rootfs, 'base.tar.gz')), readFileSync(join(dir, 'base.tgz')))
})

test('what agents do not read, or would need too much memory for, is packed anew', (t) => {
  const { sh, take, there, rootfs } = place(t)
  sh(`tar -C tree -cf plain.tar .; bzip2 -k plain.tar
    zstd -q --ultra --long=27 -c < plain.tar > wide.tar.zst
    (cd tree && find . | cpio -o -H newc) > early.cpio`)
  assert.match(take('plain.tar').stderr, /packed anew: it is not compressed/)
  assert.match(take('plain.tar.bz2', '--format', 'tar.xz').stderr, /packed anew: agents do not read bzip2/)
  assert.match(take('wide.tar.zst').stderr, /packed anew: its dictionary of 128 MiB/)
  const { stdout, status } = take('early.cpio', '--json', '--format', 'tar.gz')
  assert.equal(status, 0)
  assert.match(stdout, /"init":"\/usr\/sbin\/init"/)
  assert.deepEqual(there(), ['early.cpio.gz', 'plain.tar.xz', 'plain.tar.zst', 'wide.tar.zst'])
  assert.match(
    execFileSync('tar', ['-tf', join(rootfs, 'wide.tar.zst')]).toString(),
    /^\.\/usr\/sbin\/init$/m,
  )
})

test('a tar becomes a squashfs when that is wanted', (t) => {
  const { sh, take, there, rootfs } = place(t)
  sh('tar -C tree -czf base.tar.gz .')
  const { status, stderr } = take('base.tar.gz', '--format', 'squashfs', '--name', 'small')
  assert.equal(status, 0, stderr)
  assert.deepEqual(there(), ['small.squashfs'])
  const listed = execFileSync('unsquashfs', ['-l', '-d', '', join(rootfs, 'small.squashfs')]).toString()
  assert.match(listed, /^\/usr\/sbin\/init$/m)
})

test('what no node could boot is refused, and nothing is left in the catalog', (t) => {
  const { dir, sh, take, there } = place(t)
  sh(`tar -C tree -czf good.tar.gz .; head -c 100 good.tar.gz > cut.tar.gz
    head -c 10000 /dev/urandom > noise.img; : > empty.tar; tar -C tree -czf none.tar.gz sbin
    tar -P -C tree --transform 's,^,../,' -czf out.tar.gz usr
    head -c 200000 /dev/urandom > tree/bulk; mksquashfs tree cut.squashfs -quiet`)
  truncateSync(join(dir, 'cut.squashfs'), 100_000)
  const refusals: readonly [string, RegExp][] = [
    ['cut.tar.gz', /cut.tar.gz: gzip: .*unexpected end of file/],
    ['noise.img', /neither a tar, a cpio nor a squashfs/],
    ['empty.tar', /neither a tar, a cpio nor a squashfs/],
    ['nowhere.tar', /is not a file/],
    ['none.tar.gz', /no init: none of \/sbin\/init, .* \(--force takes it all the same\)/],
    ['out.tar.gz', /names that lead out of the root: \.\.\/usr/],
    ['cut.squashfs', /is cut off/],
  ]
  for (const [name, text] of refusals) {
    const { status, stderr } = take(name)
    assert.equal(status, 1, name)
    assert.match(stderr, /^bootswarm: IMAGE_FAILED: /m)
    assert.match(stderr, text)
  }
  assert.deepEqual(there(), [])
  const { status, stdout } = take('none.tar.gz', '--force')
  assert.equal(status, 0)
  assert.match(stdout, /^warning: no init/m)
})

test('a root that another one comes after by name is said not to be used', (t) => {
  const { sh, take } = place(t)
  sh('tar -C tree -czf a.tar.gz .; cp a.tar.gz z.tar.gz')
  assert.doesNotMatch(take('z.tar.gz').stdout, /warning/)
  assert.match(take('a.tar.gz').stdout, /^warning: the server takes z.tar.gz instead/m)
})
