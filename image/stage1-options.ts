/** The options of `image stage1`. Pure. */
import { type Flag, flagsHelp } from '../src/command-line.js'
import { BootswarmError } from '../src/errors.js'
import type { Compression } from './compress.js'
import { defaultMirror, defaultSuite } from './debian.js'
import { commonFlags, readFlags } from './flags.js'

/** Where the kernel comes from; no package named: the generic one. */
export type KernelSource =
  | { readonly kind: 'package'; readonly name?: string }
  | { readonly kind: 'files'; readonly vmlinuz: string; readonly modules: string }

/** Everything, checked as far as that goes without looking. */
export interface Stage1Options {
  readonly source: KernelSource
  readonly suite: string
  readonly mirror: string
  readonly compression: Compression
  /** Network drivers; undefined: as configured. */
  readonly nics?: readonly string[]
  /** More modules. */
  readonly modules: readonly string[]
  /** undefined: `boot/` of the site's artifacts. */
  readonly outDir?: string
  /** undefined: the server's own. */
  readonly trustDir?: string
  /** A file, or `debian`: that of busybox-static. undefined: compiled from Debian's source. */
  readonly busybox?: string
  /** Leave modules signed and with their type information. */
  readonly wholeModules: boolean
  /** undefined: the one of this checkout. */
  readonly agent?: string
  /** undefined: .cache of this checkout. */
  readonly cacheDir?: string
  readonly configFile?: string
  readonly json: boolean
  readonly dryRun: boolean
  readonly help: boolean
}

const flags: readonly Flag[] = [
  {
    name: 'kernel',
    value: 'PACKAGE',
    description: 'Debian package of the kernel (default: linux-image-amd64)',
  },
  { name: 'suite', value: 'NAME', description: `Debian's release (default: ${defaultSuite})` },
  { name: 'mirror', value: 'URL', description: `where its packages are (default: ${defaultMirror})` },
  { name: 'vmlinuz', value: 'FILE', description: 'a kernel of your own, with --modules' },
  { name: 'modules', value: 'DIR', description: 'its modules: /lib/modules/RELEASE' },
  {
    name: 'nic',
    value: 'A,B,...',
    description: 'network drivers (default: stage1.nics of the configuration)',
  },
  {
    name: 'module',
    value: 'A,B,...',
    description: 'more modules, after stage1.modules of the configuration',
  },
  { name: 'compress', value: 'xz|zstd', description: 'xz is smaller, zstd is unpacked sooner (default: xz)' },
  {
    name: 'trust',
    value: 'DIR',
    description: 'ca.pem and manifest.pub (default: the server’s, made if missing)',
  },
  {
    name: 'busybox',
    value: 'FILE|debian',
    description: 'a static busybox of your own, or that of busybox-static',
  },
  { name: 'whole-modules', description: 'leave modules as they are: signed, and larger' },
  { name: 'agent', value: 'FILE', description: 'an agent of your own' },
  { name: 'out', value: 'DIR', description: 'where vmlinuz and stage1 go (default: boot/ of artifacts_dir)' },
  {
    name: 'cache',
    value: 'DIR',
    description: 'what was downloaded and compressed (default: .cache of this checkout)',
  },
  ...commonFlags,
]

/** @throws {BootswarmError} USAGE_INVALID */
export function parseStage1Options(args: readonly string[]): Stage1Options {
  const given = readFlags(args, flags)
  const one = <K extends string>(key: K, flag: string) => {
    const value = given.get(flag)
    return (value === undefined ? {} : { [key]: value }) as { [key in K]?: string }
  }
  const nic = given.get('nic')
  return {
    source: sourceOf(given),
    suite: given.get('suite') ?? defaultSuite,
    mirror: given.get('mirror') ?? defaultMirror,
    compression: compressionOf(given.get('compress') ?? 'xz'),
    ...(nic === undefined ? {} : { nics: listOf('nic', nic) }),
    modules: listOf('module', given.get('module') ?? ''),
    ...one('outDir', 'out'),
    ...one('trustDir', 'trust'),
    ...one('busybox', 'busybox'),
    ...one('agent', 'agent'),
    ...one('cacheDir', 'cache'),
    ...one('configFile', 'config'),
    wholeModules: given.has('whole-modules'),
    json: given.has('json'),
    dryRun: given.has('dry-run'),
    help: given.has('help'),
  }
}

/** The text of `image stage1 --help`. */
export function stage1Help(): string {
  return [
    'bootswarm image stage1 [options]: makes what a node loads first, kernel and stage 1, and puts both where a',
    'running server publishes them. Packages are downloaded and unpacked below .cache; nothing is installed.',
    '',
    flagsHelp(flags),
    'Kernel command line of a node: bootswarm.root=tmpfs|zram|overlay, bootswarm.break=init|modules|network|agent|switch,',
    'bootswarm.shell, bootswarm.debug: see docs/images.md.',
    '',
  ].join('\n')
}

function sourceOf(given: ReadonlyMap<string, string>): KernelSource {
  const [name, vmlinuz, modules] = ['kernel', 'vmlinuz', 'modules'].map((flag) => given.get(flag))
  if (vmlinuz === undefined && modules === undefined) {
    return { kind: 'package', ...(name === undefined ? {} : { name }) }
  }
  if (name !== undefined) throw usage('--kernel is one way to a kernel, --vmlinuz and --modules the other')
  if (vmlinuz === undefined || modules === undefined) throw usage('--vmlinuz and --modules go together')
  return { kind: 'files', vmlinuz, modules }
}

function compressionOf(text: string): Compression {
  if (text === 'xz' || text === 'zstd') return text
  throw usage(`--compress is xz or zstd: nothing would notice damage in an archive without`)
}

function listOf(flag: string, text: string): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const wrong = names.find((name) => !/^[A-Za-z0-9_-]{1,60}$/.test(name))
  if (wrong !== undefined) throw usage(`--${flag}: ${JSON.stringify(wrong)} is no module's name`)
  return names
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
