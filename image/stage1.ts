/** `bootswarm image stage1`: kernel and stage 1 into `artifacts/boot/`, where a running server publishes them. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { installedAgent, processor, root } from '../host/agent-binary.js'
import { complain, printJson, printLines, printText } from '../host/console.js'
import { ensureTools } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'
import { busyboxFromPackage, busyboxFromSource, type Program } from './busybox.js'
import { DebianPackages, type DebianSource, debianArchitecture } from './debian.js'
import {
  findKernelPackage,
  genericKernel,
  type Kernel,
  kernelFromFiles,
  kernelFromPackage,
} from './kernel.js'
import { chooseModules } from './modules.js'
import { loadSite } from './server-config.js'
import { buildStage1 } from './stage1-build.js'
import { parseStage1Options, type Stage1Options, stage1Help } from './stage1-options.js'
import { report, type Stage1Report, wanting } from './stage1-report.js'
import { stripModules } from './strip.js'
import { readTrust, type TrustFiles, trustOfServer } from './trust.js'

/** What a root file system in memory needs beside network drivers: compressed swap, and a squashfs below an overlay. */
const rootModules = ['zram', 'loop', 'squashfs', 'overlay']

/** How virtual machines' cards are reached: their driver does not say that it needs a bus. */
const busOf: Readonly<Record<string, string>> = { virtio_net: 'virtio_pci' }

/** What the programs of stage 1 are that are no programs: /init and its scripts. */
const scriptsDir = join(root, 'image', 'stage1')

/** Makes kernel and stage 1; the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const options = parseStage1Options(args)
  if (options.help) {
    printText(stage1Help())
    return 0
  }
  const made = await makeStage1(options)
  if (options.json) printJson(made)
  else printLines(report(made, options.dryRun))
  return 0
}

/** The same for other programs. A dry run writes nothing but the cache. */
export async function makeStage1(options: Stage1Options): Promise<Stage1Report> {
  const site = loadSite(options.configFile)
  // First what may be missing, then what takes minutes.
  const trust = await trustOf(options, site)
  const agent = options.agent ?? installedAgent()
  ensureTools([
    { name: 'objcopy', debianPackage: 'binutils' },
    { name: 'xz', debianPackage: 'xz-utils' },
    ...(options.compression === 'zstd' ? [{ name: 'zstd', debianPackage: 'zstd' }] : []),
  ])
  const cacheDir = resolve(options.cacheDir ?? join(root, '.cache'))
  mkdirSync(cacheDir, { recursive: true })
  const source: DebianSource = {
    suite: options.suite,
    mirror: options.mirror,
    architecture: debianArchitecture(process.arch),
    cacheDir,
  }
  const kernel = await kernelOf(options, new DebianPackages(source), cacheDir)
  const drivers = options.nics ?? site.config.stage1.nics
  const buses = drivers.flatMap((name) => busOf[name] ?? [])
  const names = [...drivers, ...buses, ...site.config.stage1.modules, ...options.modules, ...rootModules]
  const whole = await chooseModules(kernel.modulesDir, names)
  const modules = options.wholeModules ? whole : await stripModules(whole)
  const busybox = await busyboxOf(options, source)
  const built = await buildStage1(
    {
      release: kernel.release,
      modules,
      busybox: busybox.data,
      agent: readFileSync(agent),
      trust: { ca: trust.ca, manifestKeys: trust.manifestKeys },
    },
    {
      compression: options.compression,
      processor: processor(),
      cacheDir,
      scriptsDir,
      timeS: Number(process.env.SOURCE_DATE_EPOCH ?? 0),
    },
  )
  const outDir = options.outDir ?? join(site.config.artifacts_dir, 'boot')
  const vmlinuz = readFileSync(kernel.vmlinuz)
  const files = [
    { path: join(outDir, 'vmlinuz'), data: vmlinuz },
    { path: join(outDir, 'stage1'), data: built.data },
  ]
  if (!options.dryRun) {
    mkdirSync(outDir, { recursive: true })
    for (const { path, data } of files) replaceFile(path, data)
  }
  return {
    kernel: {
      release: kernel.release,
      origin: kernel.origin,
      bytes: vmlinuz.length,
      path: join(outDir, 'vmlinuz'),
    },
    stage1: {
      path: join(outDir, 'stage1'),
      bytes: built.data.length,
      compression: options.compression,
      archives: built.archives,
      busybox: { origin: busybox.origin, rawBytes: busybox.data.length },
      agent: { origin: agent, rawBytes: readFileSync(agent).length },
      modules: modules.modules.map(({ name, data }) => ({ name, rawBytes: data.length })),
      builtin: modules.builtin,
      trust: trust.dir,
    },
    warnings: wanting(modules, vmlinuz.length + built.data.length),
  }
}

async function kernelOf(options: Stage1Options, packages: DebianPackages, cacheDir: string): Promise<Kernel> {
  const { source } = options
  if (source.kind === 'files') return kernelFromFiles(source.vmlinuz, source.modules)
  const name = source.name ?? genericKernel(debianArchitecture(process.arch))
  return kernelFromPackage(packages, await findKernelPackage(packages, name), cacheDir)
}

async function busyboxOf({ busybox }: Stage1Options, source: DebianSource): Promise<Program> {
  if (busybox === 'debian') return busyboxFromPackage(source)
  if (busybox !== undefined) return { data: readFileSync(busybox), origin: busybox }
  try {
    return await busyboxFromSource(source, join(scriptsDir, 'busybox.config'))
  } catch (error) {
    if (!(error instanceof BootswarmError)) throw error
    complain(`taking Debian's larger busybox, for ${error.code}: ${error.message}`)
    return busyboxFromPackage(source)
  }
}

function trustOf(
  options: Stage1Options,
  site: ReturnType<typeof loadSite>,
): TrustFiles | Promise<TrustFiles> {
  if (options.trustDir !== undefined) return readTrust(options.trustDir)
  const { data_dir: dataDir, site: name } = site.config
  return trustOfServer({ dataDir, site: name, addresses: site.addresses }, options.dryRun)
}

/** By a dot file, which the server passes over, and a rename: it never sees half a file. */
function replaceFile(path: string, data: Uint8Array): void {
  const fresh = join(path, '..', `.${basename(path)}.${process.pid}.new`)
  try {
    writeFileSync(fresh, data)
    chmodSync(fresh, 0o644)
    renameSync(fresh, path)
  } finally {
    rmSync(fresh, { force: true })
  }
}
