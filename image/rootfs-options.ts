/** The command line of `bootswarm image rootfs`, parsed once into what it means. No I/O. */
import { type Flag, flagsHelp } from '../src/command-line.js'
import { BootswarmError } from '../src/errors.js'
import { defaultSuite } from './debian.js'
import { commonFlags, readFlags } from './flags.js'

/** How the root file system is packed. */
export const formats = ['tar.zst', 'tar.xz', 'tar.gz', 'squashfs'] as const

/** One of {@link formats}. */
export type Format = (typeof formats)[number]

/** What every run has. */
interface Common {
  /** The server's configuration; undefined: bootswarm.yaml if it is there. */
  readonly configFile: string | undefined
  /** Where the archive goes, instead of the server's artifacts: a file, or a directory. */
  readonly out: string | undefined
  /** The file's name without its ending; undefined: made from the suite, or that of the given file. */
  readonly name: string | undefined
  /** Undefined: tar.zst, or as the given file is. */
  readonly format: Format | undefined
  /** Level of the compressor; undefined: the smallest file whose dictionary is 8 MiB. */
  readonly level: number | undefined
  readonly json: boolean
  readonly dryRun: boolean
}

/** A root made of Debian's packages. */
export interface BuildOptions extends Common {
  readonly kind: 'build'
  readonly suite: string
  /** URL of a mirror; undefined: what this machine's apt uses. */
  readonly mirror: string | undefined
  readonly components: readonly string[]
  /** Packages beside those that make a node. */
  readonly include: readonly string[]
  /** File with keys that may log in as root. */
  readonly sshKey: string | undefined
  /** Whether the consoles log in as root without a password. */
  readonly consoleLogin: boolean
  /** Kernel package whose modules go into the root; undefined: none. */
  readonly kernel: string | undefined
  /** Modules beside the usual ones. */
  readonly modules: readonly string[]
}

/** An archive that is there, checked and taken over. */
export interface TakeOptions extends Common {
  readonly kind: 'take'
  readonly from: string
  /** Take it though it holds no init. */
  readonly force: boolean
}

/** What a run shall do. */
export type RootfsOptions = BuildOptions | TakeOptions

const flags: readonly Flag[] = [
  { name: 'suite', value: 'NAME', description: `Debian's release (default: ${defaultSuite})` },
  {
    name: 'mirror',
    value: 'URL',
    description: 'where its packages are (default: where this machine has them from)',
  },
  { name: 'components', value: 'A,B,...', description: 'parts of the archive (default: main)' },
  { name: 'include', value: 'A,B,...', description: 'packages beside those that every node has' },
  { name: 'ssh-key', value: 'FILE', description: 'public keys that may log in as root; without: nobody can' },
  {
    name: 'root-login',
    value: 'none|console',
    description: 'console: screen and serial line are logged in as root (default: none)',
  },
  {
    name: 'kernel',
    value: 'PACKAGE',
    description: 'put modules of this kernel in, such as linux-image-amd64',
  },
  { name: 'module', value: 'A,B,...', description: 'with --kernel: modules beside the usual ones' },
  { name: 'from', value: 'FILE', description: 'instead of building: a tar, cpio or squashfs to take over' },
  { name: 'force', description: 'with --from: also without an init' },
  { name: 'format', value: formats.join('|'), description: 'how it is packed (default: tar.zst)' },
  { name: 'level', value: 'N', description: 'of the compressor (default: the smallest result)' },
  { name: 'name', value: 'NAME', description: 'of the file, without its ending (default: debian-SUITE)' },
  { name: 'out', value: 'FILE|DIR', description: 'where it goes (default: rootfs/ of artifacts_dir)' },
  ...commonFlags,
]

/** Flags that mean nothing for a file that is given. */
const buildOnly = [
  'suite',
  'mirror',
  'components',
  'include',
  'ssh-key',
  'root-login',
  'kernel',
  'module',
] as const

/** Largest level of each compressor whose dictionary stays within 8 MiB. */
const levelMax: Readonly<Record<Format, number>> = {
  'tar.zst': 19,
  'tar.xz': 6,
  'tar.gz': 9,
  squashfs: 22,
}

/**
 * Parses the arguments after `image rootfs`. `'help'`: `--help` was given.
 *
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseRootfsOptions(args: readonly string[]): RootfsOptions | 'help' {
  const given = readFlags(args, flags)
  if (given.has('help')) return 'help'
  const format = oneOf('--format', given.get('format'), formats)
  const common: Common = {
    configFile: given.get('config'),
    out: given.get('out'),
    name: fileName(given.get('name')),
    format,
    level: level(given.get('level'), format ?? 'tar.zst'),
    json: given.has('json'),
    dryRun: given.has('dry-run'),
  }
  const from = given.get('from')
  if (from !== undefined) {
    const strange = buildOnly.find((name) => given.has(name))
    if (strange !== undefined) throw usage(`--${strange} makes no sense with --from`)
    return { kind: 'take', ...common, from, force: given.has('force') }
  }
  if (given.has('force')) throw usage('--force makes sense with --from only')
  const suite = given.get('suite') ?? defaultSuite
  const mirror = given.get('mirror')
  const kernel = given.get('kernel')
  if (kernel === undefined && given.has('module')) throw usage('--module makes sense with --kernel only')
  return {
    kind: 'build',
    ...common,
    suite: matching('--suite', suite, /^[a-z][a-z0-9-]*$/, 'a suite such as bookworm'),
    mirror:
      mirror === undefined
        ? undefined
        : matching('--mirror', mirror, /^(https?|file):\/\/?[^\s[\]]+$/, 'the URL of a mirror'),
    components: words(given.get('components') ?? 'main').map((word) =>
      matching('--components', word, /^[a-z][a-z-]*$/, 'main, contrib, non-free-firmware, ...'),
    ),
    include: [...new Set(words(given.get('include') ?? ''))].map((word) =>
      matching('--include', word, /^[a-z0-9][a-z0-9+.-]+$/, 'a package'),
    ),
    sshKey: given.get('ssh-key'),
    kernel:
      kernel === undefined ? undefined : matching('--kernel', kernel, /^[a-z0-9][a-z0-9+.-]+$/, 'a package'),
    modules: words(given.get('module') ?? '').map((word) =>
      matching('--module', word, /^[A-Za-z0-9_-]+$/, 'a module'),
    ),
    consoleLogin: oneOf('--root-login', given.get('root-login'), ['none', 'console'] as const) === 'console',
  }
}

/** The text of `image rootfs --help`. */
export function rootfsHelp(): string {
  return `bootswarm image rootfs: a root file system for nodes, from Debian's packages, into artifacts/rootfs/

${flagsHelp(flags)}
The same packages, flags and SOURCE_DATE_EPOCH give the same bytes; without that variable the date of the suite's last
release is taken. docs/images.md says more.
`
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}

function fileName(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  return matching('--name', text, /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}$/, 'a plain file name')
}

function level(text: string | undefined, format: Format): number | undefined {
  if (text === undefined) return undefined
  const value = /^[1-9][0-9]?$/.test(text) ? Number(text) : Number.NaN
  if (value <= levelMax[format]) return value
  throw usage(`--level for ${format} is a number from 1 to ${levelMax[format]}`)
}

function oneOf<T extends string>(flag: string, text: string | undefined, known: readonly T[]): T | undefined {
  if (text === undefined) return undefined
  const found = known.find((word) => word === text)
  if (found === undefined) throw usage(`${flag} is one of ${known.join(', ')}, not ${quoted(text)}`)
  return found
}

function matching(flag: string, text: string, form: RegExp, what: string): string {
  if (form.test(text)) return text
  throw usage(`${flag}: ${quoted(text)} is not ${what}`)
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
