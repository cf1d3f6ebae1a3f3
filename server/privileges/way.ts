/** The way to a path: what lies behind its links, and every directory that is passed. */
import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'

/** As Linux has it (path_resolution(7)). */
const linksMax = 40

/** A path as it is found. */
export interface Way {
  /** Without links. */
  readonly real: string
  /** Directories that are passed to get there, their names without links; not the path itself. */
  readonly passed: readonly string[]
  /** Links on the way, by their names without links, and what they say. */
  readonly links: ReadonlyMap<string, string>
}

/** Goes an absolute path step by step; undefined if there is nothing at its end. */
export function wayTo(path: string): Way | undefined {
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

/** What a link says; '' if it is none, undefined if nothing is there. */
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
