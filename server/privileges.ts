/**
 * Started as root: becomes another user. Everything is done as that user from the first file on; root comes back
 * only to bind the ports, and is then given up for good. Started as anybody else: nothing happens.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { BootswarmError } from '../src/errors.js'
import type { Logger } from './log.js'
import { type Account, assume, requireAccount } from './privileges/account.js'
import { artifactsDirs, chooseAccount, earlierOwners, type PrivilegeOptions } from './privileges/choose.js'
import type { Obstacle } from './privileges/obstacle.js'
import { takeOver } from './privileges/take-over.js'

/** Who the server is. */
export interface Privileges {
  /** The user that was become; missing if nothing changed. */
  readonly user?: string
  /** Why root was kept although nobody asked for it. */
  readonly obstacle?: Obstacle
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
  const { user, group, data_dir: dataDir } = options
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
    return become(named)
  }
  const chosen = chooseAccount(options)
  if ('mend' in chosen) return { ...unchanged, obstacle: chosen }
  return become(chosen)
}

/** Says who the server is now, and what a root that was not asked for needs to become somebody else. */
export function logPrivileges({ user, obstacle }: Privileges, log: Logger): void {
  if (user !== undefined) log.info({ event: 'server.user', user }, `Runs as ${user}, not as root`)
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

/** The user may have no right to make them. Readable by all, like what is in them; a read-only disk shows later. */
function makeArtifactsDirs(artifactsDir: string | undefined): void {
  withUmask(0o022, () => {
    for (const path of artifactsDirs(artifactsDir)) {
      try {
        mkdirSync(path, { recursive: true, mode: 0o755 })
      } catch {
        // The catalog reports what is missing.
      }
    }
  })
}

/** Those above it are for all to enter, itself for its owner alone. */
function makeDataDir(dataDir: string): void {
  try {
    if (process.getuid?.() === 0) withUmask(0o022, () => mkdirSync(dirname(dataDir), { recursive: true }))
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BootswarmError('DATA_DIR_UNUSABLE', `the data directory cannot be made: ${reason}`, { cause })
  }
}

function withUmask(mask: number, run: () => void): void {
  const before = process.umask(mask)
  try {
    run()
  } finally {
    process.umask(before)
  }
}
