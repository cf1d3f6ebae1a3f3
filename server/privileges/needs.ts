/** What the server uses on this machine's disks: the files that show whether a user can run it, and where they lie. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { agentPath } from '../../host/agent-binary.js'
import { artifactDirs } from '../../src/artifact-dirs.js'
import type { Config } from '../../src/config.js'
import type { Need } from './missing-access.js'
import { shellQuote } from './shell-quote.js'

/** What of the configuration matters here. */
export type PrivilegeOptions = Pick<Config, 'user' | 'group' | 'data_dir' | 'database' | 'seeder' | 'dht'> & {
  /** Missing: nothing is read from one. */
  readonly artifacts_dir?: string
  readonly netboot?: Pick<Config['netboot'], 'ipxe_dir'>
  /** Read again at a SIGHUP. */
  readonly configFile?: string | undefined
  /** Other files that the process will read. */
  readonly files?: readonly string[]
  /** Why there is no mount namespace for the server although directories are closed (namespace.ts). */
  readonly noNamespace?: string | undefined
}

/** The checkout or installed package; this file runs as dist/server/privileges/needs.js in it. */
const program = fileURLToPath(new URL('../../..', import.meta.url)).replace(/(?!^)\/$/, '')

/** The directory of the artifacts and those in it; none if there is none. */
export function artifactsDirs(artifactsDir: string | undefined): string[] {
  if (artifactsDir === undefined) return []
  return [artifactsDir, ...Object.values(artifactDirs).map((name) => join(artifactsDir, name))]
}

/** What a user must be able to do to run the server, without writing into the data directory. */
export function needsOf(options: PrivilegeOptions): Need[] {
  const { data_dir: dataDir, database, artifacts_dir: artifactsDir, configFile, files = [] } = options
  return [
    { path: process.execPath, use: 'file' },
    ...[...programFiles(), ...files].map((path): Need => {
      return { path, use: 'file', inside: program, remedy: openProgram() }
    }),
    ...(configFile === undefined ? [] : [{ path: configFile, use: 'secret' } as const]),
    ...artifactsDirs(artifactsDir).map((path): Need => ({ path, use: 'directory' })),
    { path: dataDir, use: 'passage' },
    ...(dirname(database) === dataDir ? [] : [{ path: dirname(database), use: 'writable' } as const]),
  ]
}

/**
 * The directories, and single files, that hold all of it. The configuration's directory, not the file: who edits it
 * puts a new file in its place.
 *
 * @param libraries files that node itself has loaded, with node
 */
export function rootsOf(options: PrivilegeOptions, libraries: readonly string[]): string[] {
  const { data_dir: dataDir, database, artifacts_dir: artifactsDir, configFile, netboot } = options
  const ipxeDir = netboot?.ipxe_dir ?? ''
  return [
    program,
    ...packageFiles().map((path) => /^.*?\/node_modules(?=\/)/.exec(path)?.[0] ?? dirname(path)),
    ...libraries,
    ...(configFile === undefined ? [] : [dirname(configFile), dirname(realOf(configFile))]),
    ...(artifactsDir === undefined ? [] : [artifactsDir]),
    dataDir,
    dirname(database),
    ...(ipxeDir === '' ? [] : [ipxeDir]),
  ]
}

/** One file of each part that is loaded later than now: by a child process, or when it is first used. */
function programFiles(): string[] {
  const own = [
    'swarm/seeder-process.js',
    'swarm/dht-process.js',
    'netboot/netboot-supervisor.js',
    'netboot/netboot-process.js',
    'catalog/ingest-process.js',
  ]
  // It is asked about archives; a server without it works too.
  const agent = existsSync(agentPath()) ? [agentPath()] : []
  return [
    ...own.map((name) => fileURLToPath(new URL(`../${name}`, import.meta.url))),
    ...packageFiles(),
    ...agent,
  ]
}

function packageFiles(): string[] {
  const packages = ['webtorrent', 'bittorrent-dht', 'better-sqlite3', 'create-torrent']
  return packages.map((name) => fileURLToPath(import.meta.resolve(name)))
}

/** A checkout made under umask 077, opened without what else may lie in it: the data, above all. */
function openProgram(): string {
  const parts = ['dist', 'docs', 'node_modules', 'third_party', 'package.json']
  const paths = parts.map((name) => join(program, name)).filter((path) => existsSync(path))
  return `chmod o+x ${shellQuote(program)} && chmod -R o+rX ${paths.map(shellQuote).join(' ')}`
}

function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
