/**
 * The busybox of stage 1: one static executable. Debian's own has three times the commands that stage 1 needs and does
 * not fit beside the generic kernel, so its source package is compiled with fewer. Where that cannot be done, Debian's.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { complain } from '../host/console.js'
import { ensureTools } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'
import { makeOnce } from './cache.js'
import { DebianPackages, type DebianSource, unpackPackage } from './debian.js'
import { run } from './run-program.js'

/** An executable and where it comes from. */
export interface Program {
  readonly data: Buffer
  /** For people. */
  readonly origin: string
}

/**
 * Debian's busybox with the commands of `configFile` alone, compiled once for each version, configuration and compiler.
 * @throws {BootswarmError} TOOL_MISSING, PACKAGE_MISSING, IMAGE_FAILED
 */
export async function busyboxFromSource(source: DebianSource, configFile: string): Promise<Program> {
  ensureTools([
    { name: 'cc', debianPackage: 'build-essential' },
    { name: 'make', debianPackage: 'build-essential' },
    { name: 'dpkg-source', debianPackage: 'dpkg-dev' },
  ])
  const binary = await new DebianPackages(source).find('busybox-static')
  // A rebuild (+b1) has the source of the first build.
  const version = binary.version.replace(/\+b[0-9]+$/, '')
  const wanted = readFileSync(configFile, 'utf8')
  const compiler = (await run('cc', ['--version'])).toString()
  const key = createHash('sha256')
    .update(JSON.stringify([version, wanted, compiler]))
    .digest('hex')
  const file = join(source.cacheDir, `busybox-small-${key.slice(0, 16)}`)
  const origin = `busybox ${version}, compiled with the commands of stage 1`
  if (existsSync(file)) return { data: readFileSync(file), origin }
  complain(`compiling busybox ${version} (half a minute, once) ...`)
  mkdirSync(source.cacheDir, { recursive: true })
  const dir = mkdtempSync(join(source.cacheDir, 'busybox-build-'))
  try {
    await new DebianPackages({ ...source, withSources: true }).fetchSource('busybox', version, dir)
    const tree = readdirSync(dir, { withFileTypes: true }).find((entry) => entry.isDirectory())?.name
    if (tree === undefined) throw new BootswarmError('IMAGE_FAILED', `busybox ${version} unpacked to nothing`)
    const built = await compile(join(dir, tree), wanted)
    copyFileSync(built, `${file}.${process.pid}.new`)
    chmodSync(`${file}.${process.pid}.new`, 0o755)
    renameSync(`${file}.${process.pid}.new`, file)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  return { data: readFileSync(file), origin }
}

async function compile(tree: string, wanted: string): Promise<string> {
  const config = join(tree, '.config')
  // Its banner holds the time of the build.
  const env = { SOURCE_DATE_EPOCH: '0' }
  const fill = () => run('make', ['oldconfig'], { cwd: tree, env, input: Buffer.from('\n'.repeat(5000)) })
  writeFileSync(config, wanted)
  await fill()
  // Remove what the configuration enabled by default.
  const asked = new Set(wanted.split('\n'))
  const lean = readFileSync(config, 'utf8')
    .split('\n')
    .map((line) =>
      /^CONFIG_\w+=y$/.test(line) && !asked.has(line) ? `# ${line.slice(0, -2)} is not set` : line,
    )
  writeFileSync(config, lean.join('\n'))
  await fill()
  const lost = [...asked].filter(
    (line) => line.startsWith('CONFIG_') && !readFileSync(config, 'utf8').includes(`${line}\n`),
  )
  if (lost.length > 0)
    throw new BootswarmError('IMAGE_FAILED', `this busybox does not know ${lost.join(', ')}`)
  await run('make', [`-j${availableParallelism()}`, 'busybox'], { cwd: tree, env })
  return join(tree, 'busybox')
}

/** Debian's static busybox. Its package is unpacked here: installing it would change the host's /bin/busybox. */
export async function busyboxFromPackage(source: DebianSource): Promise<Program> {
  const packages = new DebianPackages(source)
  const found = await packages.find('busybox-static')
  const dir = join(source.cacheDir, `busybox-${found.sha256.slice(0, 12)}`)
  await makeOnce(dir, async (fresh) => unpackPackage(await packages.fetch(found), fresh))
  const file = ['bin/busybox', 'usr/bin/busybox'].map((name) => join(dir, name)).find(existsSync)
  if (file === undefined) {
    throw new BootswarmError('IMAGE_FAILED', `the package busybox-static ${found.version} holds no busybox`)
  }
  return { data: readFileSync(file), origin: `busybox-static ${found.version}` }
}
