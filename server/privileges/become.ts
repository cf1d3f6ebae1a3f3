/**
 * Drops root if the server was started as root: it does everything as another user, from the first file on, becomes root again
 * only to bind the ports, and then drops it for good. Does nothing for any other user.
 */
import type { Logger } from '../process/log.js'
import { type Account, assume, requireAccount } from './account.js'
import { chooseAccount, earlierOwners } from './choose.js'
import { chownData } from './chown-data.js'
import { coveredHere } from './in-namespace.js'
import { makeArtifactsDirs, makeDataDir } from './make-dirs.js'
import type { MissingAccess } from './missing-access.js'
import type { PrivilegeOptions } from './needs.js'

/** The user that the server runs as. */
export interface Privileges {
  /** The name of the new user; missing if nothing changed. */
  readonly user?: string
  /** Why the server still runs as root although it was not configured to. */
  readonly missingAccess?: MissingAccess
  /** Why the configured user has no mount namespace, although it may not enter directories that the server needs. */
  readonly noNamespace?: string | undefined
  /** The user's ids, for child processes that open ports as root first; missing if nothing changed. */
  readonly account?: Account
  /** Runs `bind` as root, if the server was started as root. */
  asRoot<T>(bind: () => Promise<T>): Promise<T>
  /** Drops root for good. */
  drop(): void
}

const unchanged: Privileges = { asRoot: (bind) => bind(), drop: () => {} }

/**
 * Makes the data directory and becomes the configured user as far as possible for now. Without a configured one it
 * is `bootswarm`, else `nobody`, if that user can run the server; if not, the server stays root and `missingAccess` says why.
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
    tryChownData(named, options)
    return { ...become(named), noNamespace }
  }
  const chosen = chooseAccount(options)
  if ('remedy' in chosen) {
    if (noNamespace === undefined) return { ...unchanged, missingAccess: chosen }
    const reason = `${chosen.reason}, and a mount namespace where it may cannot be made (${noNamespace})`
    return { ...unchanged, missingAccess: { ...chosen, reason } }
  }
  return become(chosen)
}

/** Logs the user that the server runs as, and what an unintended root needs to be dropped. */
export function logPrivileges({ user, missingAccess, noNamespace }: Privileges, log: Logger): void {
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
  if (missingAccess === undefined) return
  const { path, reason, remedy } = missingAccess
  log.warn(
    { event: 'server.is-root', path, remedy },
    `Runs as root, which it does not need: ${reason}. ${remedy}, or set \`user: root\` if root is meant`,
  )
}

/** A failure is ignored: the user may have access by other means, and what is missing shows on use. */
function tryChownData(account: Account, options: PrivilegeOptions): void {
  const { data_dir: dataDir, database, artifacts_dir: artifactsDir } = options
  try {
    chownData(account, { dataDir, database, artifactsDir }, earlierOwners())
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
