/**
 * Debian's packages for images: found, downloaded and unpacked without installing anything on this host, without
 * root, and without its package lists: apt runs on a state directory of its own below the cache.
 */
import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { complain } from '../host/console.js'
import { BootswarmError } from '../src/errors.js'
import { renameOnce } from './cache.js'
import { run } from './run-program.js'

/** Where packages come from. */
export interface DebianSource {
  /** `bookworm` */
  readonly suite: string
  /** `http://deb.debian.org/debian` */
  readonly mirror: string
  /** Debian's name of the processor: `amd64`. */
  readonly architecture: string
  /** Package lists and packages are kept here. */
  readonly cacheDir: string
  /** Source packages too; their lists are as large again. */
  readonly withSources?: boolean
}

/** One version of a package, as the package lists have it. */
export interface DebianPackage {
  readonly name: string
  readonly version: string
  /** The field Depends, as it is; empty: none. */
  readonly depends: string
  readonly sizeBytes: number
  /** Hex. */
  readonly sha256: string
}

/** Mirror that is used when none is named. */
export const defaultMirror = 'http://deb.debian.org/debian'

/** Suite that is used when none is named. */
export const defaultSuite = 'bookworm'

/** Package lists older than this are fetched again, milliseconds. */
const LISTS_AGE_MAX_MS = 86_400_000

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Debian's name of a processor that Node.js or `uname -m` name. */
export function debianArchitecture(processor: string): string {
  return { x64: 'amd64', x86_64: 'amd64', aarch64: 'arm64' }[processor] ?? processor
}

/** The lines of sources.list: the suite with its updates, and its security archive where the mirror has the usual name. */
export function sourcesList(
  { suite, mirror, withSources }: Pick<DebianSource, 'suite' | 'mirror' | 'withSources'>,
  signedBy?: string,
): string {
  const base = mirror.replace(/\/+$/, '')
  const option = signedBy === undefined ? '' : `[signed-by=${signedBy}] `
  const rolling = suite === 'sid' || suite === 'unstable'
  const lines = [`deb ${option}${base} ${suite} main`]
  if (!rolling) lines.push(`deb ${option}${base} ${suite}-updates main`)
  if (!rolling && base.endsWith('/debian')) lines.push(`deb ${option}${base}-security ${suite}-security main`)
  const sources = withSources === true ? lines.map((line) => line.replace(/^deb /, 'deb-src ')) : []
  return `${[...lines, ...sources].join('\n')}\n`
}

/** Packages of one suite. */
export class DebianPackages {
  readonly #source: DebianSource
  readonly #dir: string
  #ready: Promise<void> | undefined

  constructor(source: DebianSource) {
    if (!/^[a-z][a-z0-9-]*$/.test(source.suite)) throw usage(`${source.suite} is no suite`)
    if (!/^(https?|file):\/\/?[^\s[\]]+$/.test(source.mirror))
      throw usage(`${source.mirror} is no mirror's URL`)
    this.#source = source
    const key = createHash('sha256')
      .update(`${sourcesList(source)}${source.architecture}`)
      .digest('hex')
    this.#dir = join(source.cacheDir, `apt-${source.suite}-${key.slice(0, 12)}`)
  }

  /**
   * The package of this name, in the newest version.
   * @throws {BootswarmError} PACKAGE_MISSING
   */
  async find(name: string): Promise<DebianPackage> {
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name)) throw usage(`${JSON.stringify(name)} is no package name`)
    await this.#update(false)
    let found = await this.#show(name)
    if (found === undefined) {
      await this.#update(true)
      found = await this.#show(name)
    }
    if (found === undefined) {
      throw new BootswarmError(
        'PACKAGE_MISSING',
        `${this.#source.suite} at ${this.#source.mirror} has no package ${name}`,
      )
    }
    return found
  }

  /**
   * Downloads a package (apt checks signature and hashes), or finds it in the cache. Returns the file.
   * @throws {BootswarmError} PACKAGE_MISSING when the download fails
   */
  async fetch({ name, version, sizeBytes, sha256 }: DebianPackage): Promise<string> {
    const debs = join(this.#source.cacheDir, 'debs')
    mkdirSync(debs, { recursive: true })
    const file = join(debs, `${name}_${version.replaceAll(':', '%3a')}_${sha256.slice(0, 12)}.deb`)
    if (existsSync(file) && statSync(file).size === sizeBytes && (await sha256Of(file)) === sha256)
      return file
    const dir = mkdtempSync(join(debs, 'new-'))
    try {
      await this.#apt('apt-get', ['download', `${name}=${version}`], dir).catch((error: BootswarmError) => {
        throw error.code === 'TOOL_MISSING' ? error : missing(error)
      })
      const [deb] = (await run('find', [dir, '-name', '*.deb'])).toString().split('\n')
      if (!deb) throw new BootswarmError('PACKAGE_MISSING', `apt-get downloaded no ${name}`)
      renameSync(deb, file)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
    return file
  }

  /**
   * Downloads a source package and unpacks it with Debian's patches into `dir`/NAME-VERSION.
   * @throws {BootswarmError} PACKAGE_MISSING
   */
  async fetchSource(name: string, version: string, dir: string): Promise<void> {
    await this.#update(false)
    mkdirSync(dir, { recursive: true })
    await this.#apt('apt-get', ['source', '-qq', `${name}=${version}`], dir).catch(
      (error: BootswarmError) => {
        throw error.code === 'TOOL_MISSING' ? error : missing(error)
      },
    )
  }

  async #show(name: string): Promise<DebianPackage | undefined> {
    const text = await this.#apt('apt-cache', ['show', '--no-all-versions', name]).catch(
      (error: BootswarmError) => {
        if (error.code === 'TOOL_MISSING') throw error
        return Buffer.alloc(0)
      },
    )
    return parsePackage(text.toString())
  }

  /** Makes the package lists anew where they are missing or old; beside the old ones, so that two runs never meet. */
  #update(force: boolean): Promise<void> {
    if (this.#ready === undefined || force) this.#ready = this.#fetchLists(force)
    return this.#ready
  }

  async #fetchLists(force: boolean): Promise<void> {
    const stamp = join(this.#dir, 'stamp')
    if (!force && isCurrent(stamp)) return
    mkdirSync(this.#source.cacheDir, { recursive: true })
    const fresh = mkdtempSync(`${this.#dir}.new-`)
    for (const dir of ['lists/partial', 'cache/archives/partial', 'parts']) {
      mkdirSync(join(fresh, dir), { recursive: true })
    }
    writeFileSync(join(fresh, 'status'), '')
    writeFileSync(
      join(fresh, 'sources.list'),
      sourcesList(this.#source, existsSync(keyring) ? keyring : undefined),
    )
    // Of the host's settings only how to reach mirrors (proxies): its hooks and sources are none of ours.
    const acquire = await run('apt-config', ['dump']).then((text) =>
      text
        .toString()
        .split('\n')
        .filter((line) => /^Acquire::(http|https|ftp|Retries)[: ]/i.test(line)),
    )
    writeFileSync(join(fresh, 'acquire.conf'), `${acquire.join('\n')}\n`)
    this.#writeConf(fresh, fresh, 'update.conf')
    this.#writeConf(fresh, this.#dir, 'apt.conf')
    try {
      await this.#apt('apt-get', ['update', '-qq', '--error-on=any'], undefined, fresh).catch(
        (error: BootswarmError) => {
          throw error.code === 'TOOL_MISSING' ? error : missing(error)
        },
      )
      writeFileSync(join(fresh, 'stamp'), '')
      // Another run may have been faster, and may be reading its lists.
      if (!force && isCurrent(stamp)) return rmSync(fresh, { recursive: true, force: true })
      const old = `${fresh}.old`
      if (existsSync(this.#dir)) renameSync(this.#dir, old)
      renameOnce(fresh, this.#dir)
      rmSync(fresh, { recursive: true, force: true })
      rmSync(old, { recursive: true, force: true })
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true })
      // Yesterday's lists are better than none: the server may have no way out today.
      if (force || !existsSync(stamp)) throw error
      complain(`package lists could not be renewed: ${(error as Error).message}`)
    }
  }

  /** What apt reads before its flags: no file of the host's. `dir` is where it will be when apt reads it. */
  #writeConf(into: string, dir: string, name: string): void {
    const lines = [
      `Dir::Etc::main "${join(dir, 'acquire.conf')}";`,
      `Dir::Etc::parts "${join(dir, 'parts')}";`,
    ]
    writeFileSync(join(into, name), `${lines.join('\n')}\n`)
  }

  async #apt(program: string, args: readonly string[], cwd?: string, dir = this.#dir): Promise<Buffer> {
    const options: Record<string, string> = {
      'Dir::Etc::sourcelist': join(dir, 'sources.list'),
      'Dir::Etc::sourceparts': join(dir, 'parts'),
      'Dir::Etc::preferences': '/dev/null',
      'Dir::Etc::preferencesparts': join(dir, 'parts'),
      'Dir::State': dir,
      'Dir::State::lists': join(dir, 'lists'),
      'Dir::State::status': join(dir, 'status'),
      'Dir::Cache': join(dir, 'cache'),
      'Dir::Cache::pkgcache': '',
      'Dir::Cache::srcpkgcache': '',
      'APT::Architecture': this.#source.architecture,
      'APT::Architectures': this.#source.architecture,
      // apt would become _apt, which may not write here.
      'APT::Sandbox::User': '',
      'Acquire::Languages': 'none',
    }
    const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
    const conf = join(dir, dir === this.#dir ? 'apt.conf' : 'update.conf')
    return run(program, [...flags, ...args], {
      env: { APT_CONFIG: conf },
      ...(cwd === undefined ? {} : { cwd }),
    })
  }
}

/** The first stanza of `apt-cache show`; undefined if it names no file. */
export function parsePackage(text: string): DebianPackage | undefined {
  const [stanza = ''] = text.split('\n\n')
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
  const [name, version, sha256] = [field('Package'), field('Version'), field('SHA256')]
  const sizeBytes = Number(field('Size'))
  if (name === undefined || version === undefined || !/^[0-9a-f]{64}$/.test(sha256 ?? '')) return undefined
  if (!Number.isSafeInteger(sizeBytes)) return undefined
  return { name, version, depends: field('Depends') ?? '', sizeBytes, sha256: sha256 as string }
}

/** Unpacks a package's files into a directory. Nothing of it is run. */
export async function unpackPackage(deb: string, dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true })
  await run('dpkg-deb', ['--extract', deb, dir])
}

function isCurrent(stamp: string): boolean {
  return existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_AGE_MAX_MS
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function missing(error: BootswarmError): BootswarmError {
  return new BootswarmError('PACKAGE_MISSING', error.message, { cause: error })
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
