/** The busybox of stage 1: one static executable. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BootswarmError } from '../src/errors.js'
import { type DebianPackages, unpackPackage } from './debian.js'

/** An executable and where it comes from. */
export interface Program {
  readonly data: Buffer
  /** For people. */
  readonly origin: string
}

/** Debian's static busybox. Its package is unpacked here: installing it would change the host's /bin/busybox. */
export async function busyboxFromPackage(packages: DebianPackages, cacheDir: string): Promise<Program> {
  const found = await packages.find('busybox-static')
  const dir = join(cacheDir, `busybox-${found.sha256.slice(0, 12)}`)
  if (!existsSync(dir)) {
    const deb = await packages.fetch(found)
    const fresh = mkdtempSync(`${dir}.new-`)
    try {
      await unpackPackage(deb, fresh)
      if (!existsSync(dir)) renameSync(fresh, dir)
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
  }
  const file = ['bin/busybox', 'usr/bin/busybox'].map((name) => join(dir, name)).find(existsSync)
  if (file === undefined)
    throw new BootswarmError('IMAGE_FAILED', `the package busybox-static ${found.version} holds no busybox`)
  return { data: readFileSync(file), origin: `busybox-static ${found.version}` }
}
