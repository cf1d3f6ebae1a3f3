/** Modules of a Debian kernel for the root, beside those that stage 1 has loaded: what plugins and services ask for. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../../host/agent-binary.js'
import { DebianPackages, debianArchitecture } from '../debian.js'
import { findKernelPackage, kernelFromPackage } from '../kernel.js'
import { chooseModules } from '../modules.js'
import type { BuildOptions } from '../rootfs-options.js'

/**
 * What systemd and containers look for, temperatures, USB sticks, and what a GPU driver that comes as a plugin builds
 * on. Drivers of GPUs themselves are left out: with their firmware they are larger than all the rest.
 */
const usual = [
  'autofs4',
  'bridge',
  'configfs',
  'coretemp',
  'drm',
  'drm_kms_helper',
  'fuse',
  'i2c-dev',
  'k10temp',
  'msr',
  'nf_tables',
  'nfsv4',
  'nft_compat',
  'overlay',
  'tun',
  'usb-storage',
  'veth',
  'vfat',
] as const

/** What depmod reads beside the modules. */
const tables = ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'] as const

/**
 * Puts the modules into a directory; the release of their kernel, undefined if none were asked for.
 *
 * @throws {BootswarmError} PACKAGE_MISSING, IMAGE_FAILED for a module that the kernel does not have
 */
export async function addModules(
  { kernel: name, modules, suite }: Pick<BuildOptions, 'kernel' | 'modules' | 'suite'>,
  mirror: string,
  directory: string,
  say: (text: string) => void,
): Promise<string | undefined> {
  if (name === undefined) return undefined
  say(`fetching ${name}`)
  const cacheDir = join(root, '.cache')
  mkdirSync(cacheDir, { recursive: true })
  const architecture = debianArchitecture(process.arch)
  const packages = new DebianPackages({ suite, mirror, architecture, cacheDir })
  const kernel = await kernelFromPackage(packages, await findKernelPackage(packages, name), cacheDir)
  const chosen = await chooseModules(
    kernel.modulesDir,
    [...usual, ...modules].map((module) => module.replaceAll('-', '_')),
  )
  const to = join(directory, kernel.release)
  for (const { path, data } of chosen.modules) {
    mkdirSync(dirname(join(to, path)), { recursive: true })
    writeFileSync(join(to, path), data)
  }
  for (const table of tables) {
    const from = join(kernel.modulesDir, table)
    if (existsSync(from)) copyFileSync(from, join(to, table))
  }
  return kernel.release
}
