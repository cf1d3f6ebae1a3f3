/**
 * Chooses the user to become when none is configured: `bootswarm`, else `nobody`, if that user can run the server
 * as it is installed and configured here.
 */
import { BootswarmError } from '../../src/errors.js'
import { type Account, findAccount, requireAccount } from './account.js'
import { chownData } from './chown-data.js'
import { findMissingAccess, type MissingAccess } from './missing-access.js'
import { needsOf, type PrivilegeOptions } from './needs.js'

/** Users that are taken when none is configured: the first that exists. */
const defaultUsers = ['bootswarm', 'nobody'] as const

/** Ports below this are for root alone. */
const unprivilegedPortMin = 1024

/**
 * The user to become: the configured one, else the first of the default ones that exists; or why there is none.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown user or group
 */
export function accountFor({ user, group }: PrivilegeOptions): Account | MissingAccess {
  if (user !== '') return requireAccount(user, group)
  try {
    const account = defaultUsers.map((name) => findAccount(name, '')).find((found) => found !== undefined)
    if (account === undefined)
      return { path: '', reason: 'there is no user nobody', remedy: 'useradd -r bootswarm' }
    if (account.uid === 0)
      return { path: '', reason: `${account.name} is root`, remedy: 'set user to another' }
    return group === '' ? account : requireAccount(account.name, group)
  } catch (error) {
    return unable(error)
  }
}

/**
 * The user to become without being told, or why there is none. The data directory, which must be there, is that
 * user's afterwards.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown group
 */
export function chooseAccount(options: PrivilegeOptions): Account | MissingAccess {
  const account = accountFor(options)
  if ('remedy' in account) return account
  try {
    return missingAccessOf(account, options) ?? account
  } catch (error) {
    return unable(error)
  }
}

/** Root in a container may lack the capability to become another user. */
function unable(error: unknown): MissingAccess {
  if (error instanceof BootswarmError) throw error
  const reason = `this root may not become another user (${(error as Error).message})`
  return { path: '', reason, remedy: 'start the server as another user' }
}

function missingAccessOf(account: Account, options: PrivilegeOptions): MissingAccess | undefined {
  const { data_dir: dataDir, database, artifacts_dir: artifactsDir } = options
  for (const [name, port] of [
    ['seeder', options.seeder.port],
    ['dht', options.dht.enabled ? options.dht.port : 0],
  ] as const) {
    // Bound by child processes, which never are root.
    if (port > 0 && port < unprivilegedPortMin) {
      const reason = `only root may listen on ${name}.port ${port}`
      return { path: '', reason, remedy: `set ${name}.port to ${unprivilegedPortMin} or more` }
    }
  }
  // Files change their owner only when there is no other reason against the user.
  return (
    findMissingAccess(account, needsOf(options)) ??
    chownData(account, { dataDir, database, artifactsDir }, earlierOwners()) ??
    findMissingAccess(account, [{ path: dataDir, use: 'writable' }])
  )
}

/** Uids of the users that an earlier run may have been: it was root, or chose when there was no `bootswarm` yet. */
export function earlierOwners(): number[] {
  return [0, ...defaultUsers.flatMap((name) => findAccount(name, '')?.uid ?? [])]
}
