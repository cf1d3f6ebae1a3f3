/** Flags that several parts of `bootswarm config` have, and where the process runs. */

import type { Flag } from '../../src/command-line.js'
import type { Given } from './arguments.js'

/** What the parts read beside their arguments. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export const helpFlag: Flag = { name: 'help', description: 'this text' }
export const jsonFlag: Flag = { name: 'json', description: 'print JSON' }
export const configFlag: Flag = {
  name: 'config',
  value: 'FILE',
  description: 'the configuration in use (default: BOOTSWARM_CONFIG, else bootswarm.yaml)',
}

/** The last value of a flag. */
export function lastOf({ flags }: Given, name: string): string | undefined {
  return flags.get(name)?.at(-1)
}
