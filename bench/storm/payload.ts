/** What the storm's nodes boot. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BootswarmError } from '../../src/errors.js'
import { seeded } from './random.js'
import type { PayloadFormat } from './storm-options.js'

/** The one artifact. */
export interface StormPayload {
  readonly file: string
  readonly name: string
  readonly bytes: number
}

/**
 * Packs a root file system of `bytes` that nothing can compress: files of 1 MB in a plain tar or squashfs.
 * @throws {BootswarmError} STORM_UNSUPPORTED, STORM_FAILED
 */
export function makePayload(
  directory: string,
  bytes: number,
  seed: number,
  format: PayloadFormat,
): StormPayload {
  const name = `storm-root.${format}`
  const folder = join(directory, 'artifacts', 'rootfs')
  const stage = join(directory, 'stage')
  mkdirSync(folder, { recursive: true })
  mkdirSync(join(stage, 'data'), { recursive: true })
  mkdirSync(join(stage, 'etc'))
  writeFileSync(join(stage, 'etc/os-release'), 'ID=storm\n')
  mkdirSync(join(stage, 'sbin'))
  // Nothing starts it, but a root without an init is refused.
  writeFileSync(join(stage, 'sbin/init'), '#!/bin/sh\n', { mode: 0o755 })
  const random = seeded(seed)
  // The archive's own blocks and headers come on top: about 0.2 %, and the result counts the file as it is.
  for (let left = bytes - 10_240, index = 0; left > 0; left -= 1_000_000, index += 1) {
    const words = new Uint32Array(Math.ceil(Math.min(left, 1_000_000) / 4))
    for (let at = 0; at < words.length; at += 1) words[at] = random() * 2 ** 32
    const file = Buffer.from(words.buffer).subarray(0, Math.min(left, 1_000_000))
    writeFileSync(join(stage, 'data', `${index}.bin`), file)
  }
  if (format === 'tar') {
    const owner = ['--owner=root:0', '--group=root:0', '--sort=name', '--mtime=@1767225600', '--format=ustar']
    execFileSync('tar', [...owner, '-b', '1', '-C', stage, '-cf', join(folder, name), '.'])
  } else {
    const plain = ['-noI', '-noD', '-noF', '-noX', '-no-xattrs', '-all-root', '-quiet', '-no-progress']
    const times = ['-mkfs-time', '1767225600', '-all-time', '1767225600']
    const { error, status, stderr } = spawnSync('mksquashfs', [stage, join(folder, name), ...plain, ...times])
    if (error) throw new BootswarmError('STORM_UNSUPPORTED', 'mksquashfs is missing (package squashfs-tools)')
    if (status !== 0) throw new BootswarmError('STORM_FAILED', `mksquashfs: ${stderr}`)
  }
  rmSync(stage, { recursive: true })
  // An old file counts as finished at once.
  utimesSync(join(folder, name), 1_767_225_600, 1_767_225_600)
  return { file: join(folder, name), name, bytes: statSync(join(folder, name)).size }
}
