/**
 * How the racks' switches hang together: in a tree whose root is the switch of the server. Where the configuration says
 * nothing of a rack, its switch hangs at the server. Pure.
 */

import type { ConfigMistake } from './config-path.js'
import type { RackRule } from './racks.js'

/** What is said of a rack's switch. */
type LinkRule = Pick<RackRule, 'name' | 'behind'>

/** The racks' switches. */
export interface RackTree {
  /** The rack that a rack hangs behind; undefined: none, it hangs at the server. */
  behind(rack: string): string | undefined
}

/** All racks hang at the server. */
export const flatTree: RackTree = { behind: () => undefined }

/** @param rules of `racks`, without mistakes */
export function makeRackTree(rules: readonly LinkRule[]): RackTree {
  const links = new Map<string, string>()
  for (const { name, behind } of rules) if (behind !== undefined) links.set(name, behind)
  return links.size === 0 ? flatTree : { behind: (rack) => links.get(rack) }
}

/** The racks that a rack hangs behind, the nearest first. */
export function racksAbove(tree: RackTree, rack: string): string[] {
  const above: string[] = []
  for (let next = tree.behind(rack); next !== undefined; next = tree.behind(next)) above.push(next)
  return above
}

/** The first mistake in what is said of switches: a rack that does not exist, or one that hangs behind itself. */
export function linkMistake(rules: readonly LinkRule[]): ConfigMistake | undefined {
  const names = new Set(rules.map(({ name }) => name))
  const links = new Map<string, string>()
  for (const [at, { name, behind }] of rules.entries()) {
    if (behind === undefined) continue
    const path = ['racks', at, 'behind']
    if (!names.has(behind)) return { path, message: `there is no rack ${behind}, only ${some(names)}` }
    const other = links.get(name)
    if (other !== undefined && other !== behind) {
      return { path, message: `rack ${name} hangs behind ${other} already` }
    }
    links.set(name, behind)
    const circle = circleFrom(name, links)
    if (circle !== undefined) return { path, message: `a rack cannot hang behind itself: ${circle}` }
  }
  return undefined
}

/** The links were without a circle before the last one, so each circle goes through its rack. */
function circleFrom(name: string, links: ReadonlyMap<string, string>): string | undefined {
  const way = [name]
  for (let next = links.get(name); next !== undefined; next = links.get(next)) {
    way.push(next)
    if (next === name) return shortened(way).join(' -> ')
  }
  return undefined
}

const shownMax = 20

/** A circle can go through thousands of racks. */
function shortened(way: readonly string[]): readonly string[] {
  return way.length <= shownMax ? way : [...way.slice(0, shownMax - 1), '...', ...way.slice(-1)]
}

function some(names: ReadonlySet<string>): string {
  return [...names].slice(0, shownMax).join(', ')
}
