import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseBootFiles, unusedBootFiles } from '../../../server/netboot/boot-files.js'
import { kernelArch } from '../../../src/arch.js'

const files = (names: readonly string[]) => names.map((name) => ({ name }))

/** In any order of the files the same is chosen. */
function chosen(arch: string, ...names: string[]): string | undefined {
  const known = kernelArch(arch)
  const found = [names, [...names].reverse()].map((order) =>
    known === undefined ? undefined : chooseBootFiles(files(order), known),
  )
  assert.deepEqual(found[0], found[1])
  return found[0] && `${found[0].kernel.name} ${found[0].stage1.name}`
}

test('kernel and stage 1 by their names: the architecture first, then the newest', () => {
  assert.equal(chosen('x86_64', 'vmlinuz', 'stage1'), 'vmlinuz stage1')
  assert.equal(
    chosen('x86_64', 'vmlinuz-6.1', 'vmlinuz-6.12', 'initramfs.img', 'stage1.zst', 'notes'),
    'vmlinuz-6.12 stage1.zst',
  )
  const both = ['vmlinuz-amd64', 'vmlinuz-arm64', 'stage1-amd64.xz', 'stage1-aarch64.xz', 'vmlinuz-zz']
  assert.equal(chosen('x86_64', ...both), 'vmlinuz-amd64 stage1-amd64.xz')
  assert.equal(chosen('x86_64', 'vmlinuz', 'stage1', ...both), 'vmlinuz-amd64 stage1-amd64.xz')
  assert.equal(chosen('arm64', ...both), 'vmlinuz-arm64 stage1-aarch64.xz')
  assert.equal(chosen('arm64', 'vmlinuz', 'stage1'), undefined)
  assert.equal(chosen('x86_64', 'vmlinuz'), undefined)
  assert.equal(chosen('constructor', 'vmlinuz', 'stage1'), undefined)
})

test('versions in names are compared as versions: -10- is newer than -9-, a release than its candidates', () => {
  const debian = (version: string) => [`vmlinuz-${version}-amd64`, `initrd.img-${version}-amd64`]
  assert.equal(
    chosen('x86_64', ...debian('6.1.0-9'), ...debian('6.1.0-10')),
    'vmlinuz-6.1.0-10-amd64 initrd.img-6.1.0-10-amd64',
  )
  assert.equal(
    chosen('x86_64', ...debian('6.1~rc7'), ...debian('6.1')),
    'vmlinuz-6.1-amd64 initrd.img-6.1-amd64',
  )
  assert.equal(
    chosen('x86_64', 'vmlinuz-6.1.0-rc3', 'stage1-6.1.0-rc3', 'vmlinuz-6.1.0', 'stage1-6.1.0'),
    'vmlinuz-6.1.0 stage1-6.1.0',
  )
})

test('kernel and stage 1 are of one set, in the names of every distribution', () => {
  // A kernel whose stage 1 is still missing does not get that of another.
  assert.equal(
    chosen('x86_64', 'vmlinuz-6.1.0-9', 'stage1-6.1.0-9', 'vmlinuz-6.1.0-10'),
    'vmlinuz-6.1.0-9 stage1-6.1.0-9',
  )
  assert.equal(
    chosen('x86_64', 'vmlinuz-6.1.0-9', 'stage1-6.1.0-9', 'stage1-6.1.0-10.zst'),
    'vmlinuz-6.1.0-9 stage1-6.1.0-9',
  )
  assert.equal(chosen('x86_64', 'vmlinuz-1', 'vmlinuz-2', 'stage1-3', 'stage1-4'), undefined)
  // What `image stage1` makes, beside the machine's own kernels.
  assert.equal(
    chosen('x86_64', 'vmlinuz', 'stage1', 'vmlinuz-6.1.0-49-amd64', 'initrd.img-6.1.0-49-amd64'),
    'vmlinuz stage1',
  )
  assert.equal(
    chosen('x86_64', 'vmlinuz-5.14.0-1.el9.x86_64', 'initramfs-5.14.0-1.el9.x86_64.img', 'initramfs-0.img'),
    'vmlinuz-5.14.0-1.el9.x86_64 initramfs-5.14.0-1.el9.x86_64.img',
  )
  assert.equal(
    chosen('x86_64', 'vmlinuz-lts', 'initramfs-lts', 'initramfs-virt'),
    'vmlinuz-lts initramfs-lts',
  )
  assert.equal(
    chosen('x86_64', 'vmlinuz-linux', 'initramfs-linux.img', 'initramfs-linux-fallback.img'),
    'vmlinuz-linux initramfs-linux.img',
  )
})

test('where there is no choice names need not match', () => {
  assert.equal(chosen('x86_64', 'vmlinuz-6.1.0-49-amd64', 'stage1-lab'), 'vmlinuz-6.1.0-49-amd64 stage1-lab')
  assert.equal(chosen('x86_64', 'bzImage', 'stage1-lab', 'initrd-other'), 'bzImage stage1-lab')
})

test('what is not used is said, with what machines get instead', () => {
  const unused = (...names: string[]) =>
    unusedBootFiles(files(names)).map(({ file, reason }) => `${file.name}: ${reason}`)
  assert.deepEqual(unused('vmlinuz', 'stage1', 'memtest.bin', 'vmlinuz-arm64', 'stage1-arm64'), [])
  assert.deepEqual(unused('vmlinuz-9', 'stage1-9', 'vmlinuz-10', 'stage1-10'), [
    'vmlinuz-9: machines get vmlinuz-10 and stage1-10',
    'stage1-9: machines get vmlinuz-10 and stage1-10',
  ])
  assert.deepEqual(unused('vmlinuz-arm64'), [
    'vmlinuz-arm64: there is no kernel and stage 1 named alike that it belongs to',
  ])
})
