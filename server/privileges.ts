/**
 * Started as root with a user to become: everything is done as that user from the first file on; root comes back
 * only to bind the ports, and is then given up for good. Started as anybody else: nothing happens.
 */
import { chownSync, mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { BootswarmError } from '../src/errors.js'

/** Who the server is. */
export interface Privileges {
  /** Runs `bind` as root, if the server was started as root. */
  asRoot<T>(bind: () => Promise<T>): Promise<T>
  /** Gives root up for good. */
  drop(): void
}

const unprivileged: Privileges = { asRoot: (bind) => bind(), drop: () => {} }

/**
 * Makes the data directory and becomes `user` (and `group`, else the user's own) as far as possible for now.
 *
 * @throws BootswarmError CONFIG_INVALID for an unknown user or group, DATA_DIR_UNUSABLE
 */
export function becomeUser(user: string, group: string, dataDir: string): Privileges {
  if (process.getuid?.() !== 0 || user === '') {
    makeDataDir(dataDir)
    return unprivileged
  }
  const { uid, gid } = lookUp(user, group)
  if (makeDataDir(dataDir)) chownSync(dataDir, uid, gid)
  process.setgroups?.([gid])
  process.setegid?.(gid)
  process.seteuid?.(uid)
  return {
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

/** Whether it was made now. */
function makeDataDir(dataDir: string): boolean {
  try {
    return mkdirSync(dataDir, { recursive: true, mode: 0o700 }) !== undefined
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BootswarmError('DATA_DIR_UNUSABLE', `the data directory cannot be made: ${reason}`, { cause })
  }
}

function lookUp(user: string, group: string): { uid: number; gid: number } {
  try {
    // Node has no getpwnam: become the user for a moment and ask who one is.
    process.seteuid?.(user)
    const { uid, gid } = userInfo()
    process.seteuid?.(0)
    if (group === '') return { uid, gid }
    process.setegid?.(group)
    const named = process.getegid?.() ?? gid
    process.setegid?.(0)
    return { uid, gid: named }
  } catch (cause) {
    process.seteuid?.(0)
    throw new BootswarmError(
      'CONFIG_INVALID',
      `user ${user} or group ${group || '(its own)'} does not exist`,
      { cause },
    )
  }
}
