/**
 * Chooses the user to become when none is configured: `bootswarm`, else `nobody`, if that user can run the server
 * as it is installed and configured here.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../../src/config.js'
import { BootswarmError } from '../../src/errors.js'
import { artifactDirs } from '../catalog/names.js'
import { type Account, findAccount, requireAccount } from './account.js'
import { findObstacle, type Need, type Obstacle } from './obstacle.js'
import { takeOver } from './take-over.js'

/** Users that are taken when none is configured: the first that exists. */
const defaultUsers = ['bootswarm', 'nobody'] as const

/** Ports below this are for root alone. */
const unprivilegedPortMin = 1024

/** What of the configuration matters here. */
export type PrivilegeOptions = Pick<Config, 'user' | 'group' | 'data_dir' | 'database' | 'seeder' | 'dht'> & {
  /** Missing: nothing is read from one. */
  readonly artifacts_dir?: string
  /** Read again at a SIGHUP. */
  readonly configFile?: string | undefined
  /** Other files that the process will read. */
  readonly files?: readonly string[]
}

/**
 * The user to become without being told, or why there is none. The data directory, which must be there, is that
 * user's afterwards.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown group
 */
export function chooseAccount(options: PrivilegeOptions): Account | Obstacle {
  try {
    const account = defaultUsers.map((name) => findAccount(name, '')).find((found) => found !== undefined)
    if (account === undefined)
      return { path: '', reason: 'there is no user nobody', mend: 'useradd -r bootswarm' }
    if (account.uid === 0) return { path: '', reason: `${account.name} is root`, mend: 'set user to another' }
    const chosen = options.group === '' ? account : requireAccount(account.name, options.group)
    return obstacleOf(chosen, options) ?? chosen
  } catch (error) {
    if (error instanceof BootswarmError) throw error
    // A root of a container may have been left without the right to become somebody else.
    const reason = `this root may not become another user (${(error as Error).message})`
    return { path: '', reason, mend: 'start the server as another user' }
  }
}

function obstacleOf(account: Account, options: PrivilegeOptions): Obstacle | undefined {
  const { data_dir: dataDir, database, artifacts_dir: artifactsDir } = options
  for (const [name, port] of [
    ['seeder', options.seeder.port],
    ['dht', options.dht.enabled ? options.dht.port : 0],
  ] as const) {
    // Bound by child processes, which never are root.
    if (port > 0 && port < unprivilegedPortMin) {
      const reason = `only root may listen on ${name}.port ${port}`
      return { path: '', reason, mend: `set ${name}.port to ${unprivilegedPortMin} or more` }
    }
  }
  const needs: Need[] = [
    ...programFiles().map((path) => ({ path, use: 'file' as const })),
    ...(options.files ?? []).map((path) => ({ path, use: 'file' as const })),
    ...(options.configFile === undefined ? [] : [{ path: options.configFile, use: 'secret' as const }]),
    ...artifactsDirs(artifactsDir).map((path) => ({ path, use: 'directory' as const })),
    { path: dataDir, use: 'passage' },
    ...(dirname(database) === dataDir ? [] : [{ path: dirname(database), use: 'writable' as const }]),
  ]
  // Only when nothing else speaks against it are files given away.
  return (
    findObstacle(account, needs) ??
    takeOver(account, { dataDir, database, artifactsDir }, earlierOwners()) ??
    findObstacle(account, [{ path: dataDir, use: 'writable' }])
  )
}

/** Uids of the users that an earlier run may have been: it was root, or chose when there was no `bootswarm` yet. */
export function earlierOwners(): number[] {
  return [0, ...defaultUsers.flatMap((name) => findAccount(name, '')?.uid ?? [])]
}

/** One file of each part that is loaded later than now: by a child process, a thread, or when it is first used. */
function programFiles(): string[] {
  const own = [
    'swarm/seeder-process.js',
    'swarm/dht-process.js',
    'netboot/netboot-keeper.js',
    'netboot/netboot-process.js',
    'catalog/ingest-worker.js',
  ]
  const packages = ['webtorrent', 'bittorrent-dht', 'better-sqlite3', 'create-torrent']
  return [
    process.execPath,
    ...own.map((name) => fileURLToPath(new URL(`../${name}`, import.meta.url))),
    ...packages.map((name) => fileURLToPath(import.meta.resolve(name))),
  ]
}

/** The directory of the artifacts and those in it; none if there is none. */
export function artifactsDirs(artifactsDir: string | undefined): string[] {
  if (artifactsDir === undefined) return []
  return [artifactsDir, ...Object.values(artifactDirs).map((name) => join(artifactsDir, name))]
}
