/**
 * Finds what keeps a user from running the server here: the first path that the user may not enter, read or
 * write, and the command that permits it. Tries it as that user instead of computing modes: ACLs and mounts count too.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, realpathSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Account, runAs } from './account.js'
import { shellQuote } from './shell-quote.js'

/** Why the server cannot be run by a user. */
export interface MissingAccess {
  /** The path without permission; empty if it is no path. */
  readonly path: string
  readonly reason: string
  /** What to do about it: a command, or a short instruction. */
  readonly remedy: string
}

/**
 * A path and what the server does there. `secret`: a file that must not be world-readable. `passage`: the user
 * only needs to enter the directories above it.
 */
export interface Need {
  readonly path: string
  readonly use: 'file' | 'secret' | 'directory' | 'writable' | 'passage'
  /** The directory that `remedy` makes accessible, with all the server needs below it. */
  readonly inside?: string
  readonly remedy?: string
}

/** The first need that the account lacks. Paths that do not exist are skipped: their users report them. */
export function findMissingAccess(account: Account, needs: readonly Need[]): MissingAccess | undefined {
  const real = needs.flatMap((need): Need[] => {
    try {
      // As root: a link that the user cannot follow must not hide the directories behind it.
      return [{ ...need, path: realpathSync(need.path) }]
    } catch {
      return []
    }
  })
  return runAs(account, () => {
    for (const need of real) {
      const found = onTheWay(account, need) ?? atTheEnd(account, need)
      if (found === undefined) continue
      const { inside, remedy = found.remedy } = need
      return inside !== undefined && isWithin(found.path, inside) ? { ...found, remedy } : found
    }
    return undefined
  })
}

/** Whether a path is the directory or lies below it. Both absolute, without links. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`)
}

/** The topmost directory above the path that may not be entered. */
function onTheWay({ name }: Account, { path, use }: Need): MissingAccess | undefined {
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
    remedy: `chmod o+x ${shellQuote(blocked)}${isAlone ? `, or move ${shellQuote(path)} into a directory below it` : ''}`,
  }
}

function atTheEnd({ name }: Account, { path, use }: Need): MissingAccess | undefined {
  switch (use) {
    case 'passage':
      return undefined
    case 'file':
    case 'secret':
      if (may(() => closeSync(openSync(path, 'r')))) return undefined
      return {
        path,
        reason: `${name} may not read ${path}`,
        remedy: use === 'secret' ? `chown ${name} ${shellQuote(path)}` : `chmod o+r ${shellQuote(path)}`,
      }
    case 'directory':
      if (may(() => [readdirSync(path), statSync(`${path}/.`)])) return undefined
      return { path, reason: `${name} may not read ${path}`, remedy: `chmod o+rx ${shellQuote(path)}` }
    case 'writable':
      if (may(() => rmdirSync(mkdtempSync(join(path, '.try-'))))) return undefined
      return {
        path,
        reason: `${name} may not write into ${path}`,
        remedy: `chown ${name} ${shellQuote(path)}`,
      }
  }
}

/** Whether the system permits `run`. */
export function may(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch {
    return false
  }
}
