/**
 * Between which racks pieces cross: those between whose switches no rack with peers lies. Each piece then goes along a chain
 * of switches from one rack to the next, and every link carries one copy. Racks that have nobody are passed over. Pure.
 */

import type { RackTree } from '../../src/rack-tree.js'

/** The racks that one exchanges pieces with. */
export interface RackNeighbours {
  /** Those that are not behind it: whatever comes from the server comes from there. */
  readonly ahead: string[]
  /** Those that hang behind it. */
  readonly behind: string[]
}

/** Where a rack hangs, with those passed over that have nobody. */
interface Hold {
  /** The next rack towards the server that has peers; undefined: the server's own switch. */
  readonly up: string | undefined
  /** The rack itself, or the last one that was passed over. */
  readonly foot: string
}

/** @param others the other racks that have peers; the result keeps their order */
export function neighboursOf(rack: string, others: readonly string[], tree: RackTree): RackNeighbours {
  const inhabited = new Set(others).add(rack)
  const holdOf = (name: string): Hold => {
    let foot = name
    let up = tree.behind(name)
    while (up !== undefined && !inhabited.has(up)) {
      foot = up
      up = tree.behind(up)
    }
    return { up, foot }
  }
  const own = holdOf(rack)
  const ahead: string[] = []
  const behind: string[] = []
  for (const other of others) {
    const { up, foot } = holdOf(other)
    if (up === rack) behind.push(other)
    else if (other === own.up || foot === own.foot || (up === undefined && own.up === undefined)) {
      ahead.push(other)
    }
  }
  return { ahead, behind }
}

/** Whether one link leads from one rack's switch to the other's, or both hang at the server. */
export function areLinked(one: string, other: string, tree: RackTree): boolean {
  const [up, otherUp] = [tree.behind(one), tree.behind(other)]
  return up === other || otherUp === one || (up === undefined && otherUp === undefined)
}
