/** The kernel of stage 1: from a Debian package, never installed here, or from files given. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { BootswarmError } from '../src/errors.js'
import { makeOnce } from './cache.js'
import { type DebianPackage, type DebianPackages, unpackPackage } from './debian.js'

/** A kernel on disk. */
export interface Kernel {
  /** `uname -r` */
  readonly release: string
  /** The file. */
  readonly vmlinuz: string
  /** Its directory of modules, `.../lib/modules/RELEASE`. */
  readonly modulesDir: string
  /** For people: package and version, or the file. */
  readonly origin: string
}

/** Longest way from a meta package to the kernel itself. */
const META_MAX = 4

/** The generic kernel's package of a processor. */
export function genericKernel(architecture: string): string {
  return `linux-image-${architecture}`
}

/**
 * Follows meta packages (`linux-image-amd64`) to the package that holds the kernel.
 * @throws {BootswarmError} PACKAGE_MISSING
 */
export async function findKernelPackage(packages: DebianPackages, name: string): Promise<DebianPackage> {
  let found = await packages.find(name)
  for (let step = 0; step < META_MAX; step++) {
    const next = /(?:^|[\s,])(linux-image-[0-9][a-z0-9.+-]*)/.exec(found.depends)?.[1]
    if (next === undefined || next === found.name) return found
    found = await packages.find(next)
  }
  return found
}

/** Downloads and unpacks a kernel's package, once for each version. */
export async function kernelFromPackage(
  packages: DebianPackages,
  found: DebianPackage,
  cacheDir: string,
): Promise<Kernel> {
  const dir = join(cacheDir, `kernel-${found.name}-${found.sha256.slice(0, 12)}`)
  await makeOnce(dir, async (fresh) => unpackPackage(await packages.fetch(found), fresh))
  const origin = `${found.name} ${found.version}`
  const boot = join(dir, 'boot')
  const name = existsSync(boot) ? readdirSync(boot).find((one) => one.startsWith('vmlinuz-')) : undefined
  if (name === undefined) throw failed(`the package ${origin} holds no kernel`)
  const release = name.slice('vmlinuz-'.length)
  // Merged /usr: newer packages have their modules below usr/lib.
  const modulesDir = ['lib/modules', 'usr/lib/modules'].map((lib) => join(dir, lib, release)).find(existsSync)
  if (modulesDir === undefined) throw failed(`the package ${origin} holds no modules`)
  return { release, vmlinuz: join(boot, name), modulesDir, origin }
}

/**
 * A kernel and its modules built elsewhere. The directory may be `/lib/modules/RELEASE` or hold one such.
 * @throws {BootswarmError} IMAGE_FAILED
 */
export function kernelFromFiles(vmlinuz: string, modules: string): Kernel {
  if (!existsSync(vmlinuz) || !statSync(vmlinuz).isFile()) throw failed(`there is no kernel at ${vmlinuz}`)
  const candidates = [modules, ...releases(modules), ...releases(join(modules, 'lib/modules'))]
  const found = candidates.filter((dir) => existsSync(join(dir, 'kernel')))
  const [modulesDir] = found
  if (modulesDir === undefined)
    throw failed(`${modules} holds no modules: expected a directory like /lib/modules/6.1.0-56-amd64`)
  if (found.length > 1)
    throw failed(
      `${modules} holds modules of several kernels: ${found.map((dir) => basename(dir)).join(', ')}`,
    )
  return { release: basename(modulesDir), vmlinuz, modulesDir, origin: vmlinuz }
}

function releases(dir: string): string[] {
  return existsSync(dir) && statSync(dir).isDirectory() ? readdirSync(dir).map((name) => join(dir, name)) : []
}

function failed(message: string): BootswarmError {
  return new BootswarmError('IMAGE_FAILED', message)
}
