/** A small real site: a root file system with usr-merge links and plugins in both of Coinboot's dialects. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hangMs } from './limits.js'

/** What was packed, so that tests can compare. */
export interface TestSite {
  readonly artifactsDir: string
  /** A file of the root file system that does not compress, and what is in it. */
  readonly bulkFile: string
  readonly bulk: Buffer
  readonly rootfs: string
  readonly plugins: readonly string[]
}

/** Makes artifacts/{rootfs,plugins,boot} below `directory`. */
export function makeSite(directory: string, bulkBytes = 6_000_000): TestSite {
  const artifactsDir = join(directory, 'artifacts')
  for (const name of ['rootfs', 'plugins', 'boot']) mkdirSync(join(artifactsDir, name), { recursive: true })
  const stage = join(directory, 'stage')
  const bulk = randomBytes(bulkBytes)

  const root = join(stage, 'root')
  for (const name of ['etc', 'usr/bin', 'usr/lib', 'var/lib/dpkg', 'tmp']) {
    mkdirSync(join(root, name), { recursive: true })
  }
  symlinkSync('usr/lib', join(root, 'lib'))
  symlinkSync('usr/bin', join(root, 'bin'))
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nminer:x:1234:1234::/home/miner:/bin/sh\n',
  )
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nminer:x:1234:\n')
  writeFileSync(join(root, 'etc/environment'), 'PATH="/usr/bin:/bin"\n')
  writeFileSync(
    join(root, 'var/lib/dpkg/status'),
    'Package: base\nStatus: install ok installed\nArchitecture: all\n\n',
  )
  writeFileSync(join(root, 'usr/lib/bulk.bin'), bulk)
  writeFileSync(join(root, 'usr/bin/init'), '#!/bin/sh\n', { mode: 0o755 })
  const rootfs = join(artifactsDir, 'rootfs', 'debian.tar.zst')
  tar(rootfs, root, ['-I', 'zstd -3', '.'])

  // The newer dialect: relative names, pax with an mtime for each member.
  const newer = join(stage, 'newer')
  mkdirSync(join(newer, 'lib/modules'), { recursive: true })
  mkdirSync(join(newer, 'tmp'))
  writeFileSync(join(newer, 'lib/modules/gpu.ko'), randomBytes(400_000))
  writeFileSync(
    join(newer, 'tmp/dpkg_status'),
    'Package: gpu\nStatus: install ok installed\nArchitecture: amd64\n\n',
  )
  const pax = ['--format=pax', '-z', 'lib/modules/gpu.ko', 'tmp/dpkg_status']
  const gpu = join(artifactsDir, 'plugins', 'coinboot_gpu_1.0_20260101.0000.tar.gz')
  tar(gpu, newer, pax)

  // The older one: absolute names, no directory members.
  const older = join(stage, 'older')
  mkdirSync(join(older, 'opt/miner'), { recursive: true })
  writeFileSync(join(older, 'opt/miner/run'), '#!/bin/sh\necho mining\n', { mode: 0o755 })
  const miner = join(artifactsDir, 'plugins', 'coinboot_miner_2.0_20260101.0000.tar.gz')
  tar(miner, older, ['-P', '--transform=s,^,/,', '-z', 'opt/miner/run'])

  rmSync(stage, { recursive: true, force: true })
  return { artifactsDir, bulkFile: 'usr/lib/bulk.bin', bulk, rootfs, plugins: [gpu, miner] }
}

function tar(to: string, from: string, args: readonly string[]): void {
  const all = ['--owner=root:0', '--group=root:0', '-C', from, '-cf', to, ...args]
  execFileSync('tar', all, { timeout: hangMs })
}
