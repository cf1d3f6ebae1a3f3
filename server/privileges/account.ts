/** Users of this machine, and being one of them for a while. Only for a process that was started as root. */
import { userInfo } from 'node:os'
import { BootswarmError } from '../../src/errors.js'

/** A user with the one group that the server shall have. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * Looks a user up; `group` '' is the user's own. Undefined if there is no such user or group.
 *
 * @throws the system's error if root may not become another user (EPERM, EINVAL)
 */
export function findAccount(user: string, group: string): Account | undefined {
  try {
    // Node has no getpwnam: become the user for a moment and read the uid.
    process.seteuid?.(user)
    const { uid, gid } = userInfo()
    process.seteuid?.(0)
    if (group === '') return { name: user, uid, gid }
    process.setegid?.(group)
    const named = process.getegid?.() ?? gid
    process.setegid?.(0)
    return { name: user, uid, gid: named }
  } catch (error) {
    process.seteuid?.(0)
    if ((error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_CREDENTIAL') return undefined
    throw error
  }
}

/** {@link findAccount} of a user that was named in the configuration. @throws BootswarmError CONFIG_INVALID */
export function requireAccount(user: string, group: string): Account {
  const account = findAccount(user, group)
  if (account !== undefined) return account
  throw new BootswarmError('CONFIG_INVALID', `user ${user} or group ${group || '(its own)'} does not exist`)
}

/** Becomes the account as far as root can be had back: files are opened as it, ids are not given up. */
export function assume({ uid, gid }: Account): void {
  process.setgroups?.([gid])
  process.setegid?.(gid)
  process.seteuid?.(uid)
}

/** Runs something as the account and is root again afterwards. */
export function runAs<T>(account: Account, run: () => T): T {
  const groups = process.getgroups?.() ?? [0]
  try {
    assume(account)
    return run()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
    process.setgroups?.(groups)
  }
}
