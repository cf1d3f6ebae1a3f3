/**
 * Started as root: becomes another user. Everything is done as that user from the first file on; root comes back
 * only to bind the ports, and is then given up for good. Started as anybody else: nothing happens.
 */
import type { Logger } from '../process/log.js'
import { type Account, assume, requireAccount } from './account.js'
import { chooseAccount, earlierOwners } from './choose.js'
import { coveredHere } from './in-namespace.js'
import { makeArtifactsDirs, makeDataDir } from './make-dirs.js'
import type { PrivilegeOptions } from './needs.js'
import type { Obstacle } from './obstacle.js'
import { takeOver } from './take-over.js'

/** Who the server is. */
export interface Privileges {
  /** The user that was become; missing if nothing changed. */
  readonly user?: string
  /** Why root was kept although nobody asked for it. */
  readonly obstacle?: Obstacle
  /** Why the user that was asked for has no mount namespace, although directories are closed to it. */
  readonly noNamespace?: string | undefined
  /** Its ids, for child processes that open ports before they become it; missing if nothing changed. */
  readonly account?: Account
  /** Runs `bind` as root, if the server was started as root. */
  asRoot<T>(bind: () => Promise<T>): Promise<T>
  /** Gives root up for good. */
  drop(): void
}

const unchanged: Privileges = { asRoot: (bind) => bind(), drop: () => {} }

/**
 * Makes the data directory and becomes the configured user as far as possible for now. Without a configured one it
 * is `bootswarm`, else `nobody`, if that user can run the server; if not, root stays and `obstacle` says why.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown user or group, DATA_DIR_UNUSABLE
 */
export function becomeUser(options: PrivilegeOptions): Privileges {
  const { user, group, data_dir: dataDir, noNamespace } = options
  if (process.getuid?.() !== 0) {
    makeDataDir(dataDir)
    return unchanged
  }
  const named = user === '' ? undefined : requireAccount(user, group)
  makeArtifactsDirs(options.artifacts_dir)
  makeDataDir(dataDir)
  if (named?.uid === 0) return unchanged
  if (named !== undefined) {
    tryTakeOver(named, options)
    return { ...become(named), noNamespace }
  }
  const chosen = chooseAccount(options)
  if ('mend' in chosen) {
    if (noNamespace === undefined) return { ...unchanged, obstacle: chosen }
    const reason = `${chosen.reason}, and a mount namespace where it may cannot be made (${noNamespace})`
    return { ...unchanged, obstacle: { ...chosen, reason } }
  }
  return become(chosen)
}

/** Says who the server is now, and what a root that was not asked for needs to become somebody else. */
export function logPrivileges({ user, obstacle, noNamespace }: Privileges, log: Logger): void {
  const covered = coveredHere()
  const sees = covered === undefined ? '' : `; of ${covered.join(', ')} it sees only what it needs`
  if (user !== undefined)
    log.info({ event: 'server.user', user, covered }, `Runs as ${user}, not as root${sees}`)
  if (noNamespace !== undefined) {
    log.warn(
      { event: 'server.no-mount-namespace', user },
      `Directories are closed to ${user}, and a mount namespace where they are not cannot be made (${noNamespace})`,
    )
  }
  if (obstacle === undefined) return
  const { path, reason, mend } = obstacle
  log.warn(
    { event: 'server.is-root', path, mend },
    `Runs as root, which it does not need: ${reason}. ${mend}, or set \`user: root\` if root is meant`,
  )
}

/** What a configured user does not get it may have by other means: what it lacks shows when it is used. */
function tryTakeOver(account: Account, options: PrivilegeOptions): void {
  const { data_dir: dataDir, database, artifacts_dir: artifactsDir } = options
  try {
    takeOver(account, { dataDir, database, artifactsDir }, earlierOwners())
  } catch {
    // DATA_DIR_UNUSABLE follows, with the path.
  }
}

function become(account: Account): Privileges {
  const { name: user, uid, gid } = account
  assume(account)
  return {
    user,
    account,
    asRoot: async (bind) => {
      process.seteuid?.(0)
      try {
        return await bind()
      } finally {
        process.seteuid?.(uid)
      }
    },
    drop: () => {
      process.seteuid?.(0)
      process.setgid?.(gid)
      process.setuid?.(uid)
    },
  }
}
