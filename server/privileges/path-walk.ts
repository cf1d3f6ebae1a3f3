/** Resolves an absolute path component by component: its real path, the symbolic links and the directories on the way. */
import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'

/** As Linux has it (path_resolution(7)). */
const linksMax = 40

/** A resolved path. */
export interface PathWalk {
  /** Without links. */
  readonly real: string
  /** Real paths of the directories that were traversed; not the path itself. */
  readonly passed: readonly string[]
  /** Symbolic links on the way: from the link's real path to its target as written. */
  readonly links: ReadonlyMap<string, string>
}

/** Resolves an absolute path; undefined if it does not exist or has too many links. */
export function walkPath(path: string): PathWalk | undefined {
  const passed = new Set<string>()
  const links = new Map<string, string>()
  const steps = stepsOf(path)
  let at = '/'
  let linksSeen = 0
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    passed.add(at)
    if (step === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, step)
    const target = linkAt(next)
    if (target === undefined) return undefined
    if (target === '') {
      at = next
      continue
    }
    linksSeen += 1
    if (linksSeen > linksMax) return undefined
    links.set(next, target)
    steps.unshift(...stepsOf(target))
    if (isAbsolute(target)) at = '/'
  }
  return { real: at, passed: [...passed], links }
}

/** A link's target; '' if the path is no link, undefined if it does not exist. */
function linkAt(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : ''
  } catch {
    return undefined
  }
}

function stepsOf(path: string): string[] {
  return path.split('/').filter((step) => step !== '' && step !== '.')
}
