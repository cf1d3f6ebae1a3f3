/** `bootswarm config check [FILE]`: whether a configuration is valid, else the first mistake with line and column. */

import { printLines } from '../../host/console.js'
import { readPlacedConfig } from '../../server/config/load.js'
import { makeNodeResolver, namedIds } from '../../src/resolve-node.js'
import type { Given } from './arguments.js'
import type { Surroundings } from './flags.js'

/** @throws BootswarmError CONFIG_INVALID, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE */
export async function run({ word }: Given, around: Surroundings): Promise<number> {
  const { config, file } = readPlacedConfig(around, word)
  const nodes = namedIds(makeNodeResolver(config)).size
  const profiles = Object.keys(config.profiles).length
  const counts = `${count(profiles, 'profile')}, ${count(config.groups.length, 'group')}, ${count(nodes, 'named node')}`
  printLines([`${file?.name ?? 'no file: defaults'}: valid (${counts})`])
  return 0
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
