/** `bootswarm config diff FILE`: what another configuration would change, for which nodes. */

import { printJson, printLines } from '../../host/console.js'
import { readPlacedConfig } from '../../server/config/load.js'
import { diffConfigs } from '../../src/config-diff.js'
import type { Given } from './arguments.js'
import { diffJson, diffLines } from './diff-text.js'
import { lastOf, type Surroundings } from './flags.js'

/** @throws BootswarmError CONFIG_INVALID, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE */
export async function run(given: Given, around: Surroundings): Promise<number> {
  const before = readPlacedConfig(around, lastOf(given, 'config'))
  const after = readPlacedConfig(around, given.word)
  const diff = diffConfigs(before.config, after.config)
  if (given.flags.has('json')) printJson(diffJson(diff), 2)
  else printLines(diffLines(diff))
  return 0
}
