/**
 * Plans a mount namespace: which closed directories are covered for the server alone, and what is put back into them. Decides
 * only; namespace.ts asks the machine and namespace-script.ts writes down what is to be done.
 */
import { isWithin } from './missing-access.js'
import type { PathWalk } from './path-walk.js'

/** A directory that the server's user may not enter, and what the server needs of it. Absolute, without links. */
export interface Cover {
  readonly path: string
  /** Directories and files that are put back. */
  readonly kept: readonly string[]
  /** Links that are made again: name, target. */
  readonly links: readonly (readonly [string, string])[]
  /** Directories that are there, and empty. */
  readonly empty: readonly string[]
}

/**
 * @param ways what the server needs, whole: {@link rootsOf}
 * @param closed directories on these ways that the user may not enter
 * @param cwd stays what it is, so that relative paths mean the same
 */
export function planNamespace(ways: readonly PathWalk[], closed: readonly string[], cwd: string): Cover[] {
  const roots = [...new Set(ways.map(({ real }) => real))]
  // A directory that is needed whole cannot be covered: its owner must permit access to it.
  const coverable = closed.filter((path) => path !== '/' && !roots.some((root) => isWithin(path, root)))
  const tops = coverable.filter((path) => !coverable.some((other) => isBelow(path, other)))
  const links = new Map(ways.flatMap((way) => [...way.links]))
  return tops.map((path) => {
    const inIt = roots.filter((root) => isBelow(root, path))
    const kept = inIt.filter((root) => !inIt.some((other) => isBelow(root, other)))
    const isKept = (at: string) => kept.some((root) => isWithin(at, root))
    return {
      path,
      kept,
      links: [...links].filter(([name]) => isBelow(name, path) && !isKept(name)),
      empty: isBelow(cwd, path) && !isKept(cwd) ? [cwd] : [],
    }
  })
}

function isBelow(path: string, directory: string): boolean {
  return path !== directory && isWithin(path, directory)
}
