/**
 * Finds what keeps a user from running the server here: the first path on the way that it may not enter, read or
 * write, and the command that mends it. Tries it as that user instead of computing modes: ACLs and mounts count too.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, realpathSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Account, runAs } from './account.js'
import { quoted } from './quoted.js'

/** Why the server cannot be run by a user. */
export interface Obstacle {
  /** What is in the way; empty if it is no path. */
  readonly path: string
  readonly reason: string
  /** What to do about it: a command, or a few words. */
  readonly mend: string
}

/**
 * A path and what the server does there. `secret`: a file that not everybody is to read. `passage`: only the
 * directories above it must be open.
 */
export interface Need {
  readonly path: string
  readonly use: 'file' | 'secret' | 'directory' | 'writable' | 'passage'
  /** A directory that is opened, with all below it that matters, by `mend`. */
  readonly inside?: string
  readonly mend?: string
}

/** The first of the needs that the account cannot have. Missing paths are no obstacle: what needs them says so. */
export function findObstacle(account: Account, needs: readonly Need[]): Obstacle | undefined {
  const real = needs.flatMap((need): Need[] => {
    try {
      // As root, for the links of the way must not hide the directories behind them.
      return [{ ...need, path: realpathSync(need.path) }]
    } catch {
      return []
    }
  })
  return runAs(account, () => {
    for (const need of real) {
      const found = onTheWay(account, need) ?? atTheEnd(account, need)
      if (found === undefined) continue
      const { inside, mend = found.mend } = need
      return inside !== undefined && isWithin(found.path, inside) ? { ...found, mend } : found
    }
    return undefined
  })
}

/** Whether a path is the directory or lies below it. Both absolute, without links. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`)
}

/** The topmost directory above the path that may not be entered. */
function onTheWay({ name }: Account, { path, use }: Need): Obstacle | undefined {
  const directories: string[] = []
  for (let at = dirname(path); ; at = dirname(at)) {
    directories.unshift(at)
    if (at === dirname(at)) break
  }
  const blocked = directories.find((directory) => !may(() => statSync(`${directory}/.`)))
  if (blocked === undefined) return undefined
  // A mount namespace shows whole directories (namespace.ts), for a file that is replaced is another one.
  const isAlone = use === 'secret' && blocked === dirname(path)
  return {
    path: blocked,
    reason: `${name} may not enter ${blocked}`,
    mend: `chmod o+x ${quoted(blocked)}${isAlone ? `, or move ${quoted(path)} into a directory below it` : ''}`,
  }
}

function atTheEnd({ name }: Account, { path, use }: Need): Obstacle | undefined {
  switch (use) {
    case 'passage':
      return undefined
    case 'file':
    case 'secret':
      if (may(() => closeSync(openSync(path, 'r')))) return undefined
      return {
        path,
        reason: `${name} may not read ${path}`,
        mend: use === 'secret' ? `chown ${name} ${quoted(path)}` : `chmod o+r ${quoted(path)}`,
      }
    case 'directory':
      if (may(() => [readdirSync(path), statSync(`${path}/.`)])) return undefined
      return { path, reason: `${name} may not read ${path}`, mend: `chmod o+rx ${quoted(path)}` }
    case 'writable':
      if (may(() => rmdirSync(mkdtempSync(join(path, '.try-'))))) return undefined
      return { path, reason: `${name} may not write into ${path}`, mend: `chown ${name} ${quoted(path)}` }
  }
}

/** Whether the system lets it be done. */
export function may(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch {
    return false
  }
}
