/** Real archives, made by cpio and the packers, looked into and judged. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { bootCheck } from '../../../doctor/boot/check.js'
import { ensureIdentity } from '../../../server/identity/identity.js'
import { scratch } from '../../support/scratch.js'
import { makeSite } from '../support-site.js'

const version = '6.1.0-99-amd64'

/** A site with a data directory, a kernel's beginning, and a tree for stage 1. */
async function makeBench(t: TestContext) {
  const dir = scratch(t)
  const data = join(dir, 'data')
  const identity = await ensureIdentity({ dataDir: data, site: 'test', addresses: [], nowMs: Date.now() })
  for (const name of ['rootfs', 'boot']) mkdirSync(join(dir, 'artifacts', name), { recursive: true })
  execFileSync('tar', ['-cf', join(dir, 'artifacts', 'rootfs', 'root.tar'), '-C', '/', 'etc/hostname'])
  writeFileSync(join(dir, 'artifacts', 'boot', 'vmlinuz'), kernel(version))
  const tree = join(dir, 'tree')
  mkdirSync(join(tree, 'etc/bootswarm'), { recursive: true })
  mkdirSync(join(tree, 'lib/modules', version, 'kernel'), { recursive: true })
  mkdirSync(join(tree, 'bin'))
  writeFileSync(join(tree, 'init'), '#!/bin/sh\n')
  chmodSync(join(tree, 'init'), 0o755)
  writeFileSync(join(tree, 'bin/bootswarm-agent'), 'agent')
  writeFileSync(join(tree, 'lib/modules', version, 'kernel/e1000e.ko'), Buffer.alloc(5001, 7))
  for (const name of ['ca.pem', 'manifest.pub']) {
    copyFileSync(join(identity.trustDir, name), join(tree, 'etc/bootswarm', name))
  }
  const stage1 = join(dir, 'artifacts', 'boot', 'stage1')
  const pack = (packer: string) => {
    execFileSync('sh', ['-c', `find . | cpio --quiet -o -H newc | ${packer} > ${stage1}`], { cwd: tree })
  }
  const ipxe = join(dir, 'ipxe')
  mkdirSync(ipxe)
  for (const name of ['undionly.kpxe', 'snponly.efi', 'ipxe.efi']) writeFileSync(join(ipxe, name), 'program')
  const site = makeSite()
  const config = { ...site.config, data_dir: data, artifacts_dir: join(dir, 'artifacts') }
  const judge = async (ipxeDir = ipxe) => {
    const netboot = { ...config.netboot, ipxe_dir: ipxeDir }
    const { findings, leftOut } = await bootCheck.run({ ...site, config: { ...config, netboot } })
    assert.deepEqual(leftOut, [])
    return findings
  }
  return { dir, tree, stage1, pack, judge }
}

/** As far as Linux’s boot protocol describes the version text. */
function kernel(text: string): Buffer {
  const bytes = Buffer.alloc(0x800)
  bytes.write('HdrS', 0x202)
  bytes.writeUInt16LE(0x300, 0x20e)
  bytes.write(`${text} (debian-kernel@lists.debian.org) #1`, 0x500)
  return bytes
}

const codes = (findings: readonly { readonly code: string }[]) => findings.map(({ code }) => code)

test('a stage 1 that fits is fine, however it is packed; an uncompressed one is not', async (t) => {
  const { stage1, pack, judge } = await makeBench(t)
  for (const packer of ['zstd -q', 'xz --check=crc32', 'gzip']) {
    pack(packer)
    assert.deepEqual(codes(await judge()), [], packer)
  }
  // Microcode before it, as distributions have it.
  const packed = readFileSync(stage1)
  const early = execFileSync('sh', ['-c', 'mkdir -p kernel && echo kernel | cpio --quiet -o -H newc'], {
    cwd: scratch(t),
  })
  writeFileSync(stage1, Buffer.concat([early, packed]))
  assert.deepEqual(codes(await judge()), [])
  pack('cat')
  const [uncompressed, ...others] = await judge()
  assert.deepEqual(
    [uncompressed?.code, uncompressed?.severity, others.length],
    ['STAGE1_UNCOMPRESSED', 'hurts', 0],
  )
})

test('damage, a missing agent, other keys and another kernel are found', async (t) => {
  const { dir, tree, stage1, pack, judge } = await makeBench(t)
  pack('zstd -q')
  writeFileSync(stage1, readFileSync(stage1).subarray(0, 700))
  assert.deepEqual(codes(await judge()), ['STAGE1_DAMAGED'])
  writeFileSync(stage1, 'no archive')
  assert.deepEqual(codes(await judge()), ['STAGE1_DAMAGED'])

  chmodSync(join(tree, 'init'), 0o644)
  pack('xz')
  assert.match((await judge())[0]?.seen ?? '', /has no \/init that can be run$/)
  chmodSync(join(tree, 'init'), 0o755)

  const other = await ensureIdentity({
    dataDir: join(dir, 'other'),
    site: 'other',
    addresses: [],
    nowMs: Date.now(),
  })
  for (const name of ['ca.pem', 'manifest.pub']) {
    copyFileSync(join(other.trustDir, name), join(tree, 'etc/bootswarm', name))
  }
  writeFileSync(join(dir, 'artifacts', 'boot', 'vmlinuz'), kernel('6.1.0-100-amd64'))
  pack('xz')
  const found = await judge()
  assert.deepEqual(codes(found), ['STAGE1_OTHER_TRUST', 'STAGE1_OTHER_KERNEL'])
  assert.match(
    found[1]?.seen ?? '',
    /vmlinuz is 6\.1\.0-100-amd64, but stage1 has modules for 6\.1\.0-99-amd64/,
  )
})

test('what is not there: boot programs, kernel, root file system, programs of another architecture', async (t) => {
  const { dir, pack, judge } = await makeBench(t)
  pack('gzip')
  const empty = join(dir, 'empty')
  mkdirSync(empty)
  const found = await judge(empty)
  assert.deepEqual(codes(found), ['BOOT_PROGRAM_MISSING', 'BOOT_PROGRAM_MISSING', 'BOOT_PROGRAM_MISSING'])
  assert.match(found[0]?.seen ?? '', /bios\/undionly\.kpxe is not in .*: PCs with a BIOS do not boot/)

  writeFileSync(join(dir, 'artifacts', 'boot', 'vmlinuz-arm64'), 'arm')
  // It cannot be a root file system.
  writeFileSync(join(dir, 'artifacts', 'rootfs', 'root.tar'), 'x')
  const more = await judge()
  assert.deepEqual(codes(more), ['BOOT_PROGRAM_MISSING', 'BOOT_FILES_MISSING', 'CATALOG_EMPTY'])
  assert.match(more[0]?.seen ?? '', /kernel for arm64 .* no boot program arm64\/snponly\.efi/)
  assert.match(more[1]?.seen ?? '', /no stage1 for arm64/)
})
