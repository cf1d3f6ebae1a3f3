/** The command line of `bootswarm doctor`: the flags of the server, and a few of its own. */

import { helpText } from '../server/config/load.js'
import type { Flag } from '../src/command-line.js'
import { BootswarmError } from '../src/errors.js'
import { checks } from './checks.js'

const checkNames = checks.map(({ name }) => name)

/** Flags beside those of the configuration. */
export const doctorFlags: readonly Flag[] = [
  {
    name: 'interface',
    value: 'NAME',
    description: 'check this network interface (default: those that the server serves)',
  },
  {
    name: 'timeout-s',
    value: 'N',
    description: 'seconds to listen for answers on the LAN, 0.2 to 60 (default: 6)',
  },
  { name: 'check', value: 'A,B,...', description: `only these groups of checks: ${checkNames.join(', ')}` },
  { name: 'json', description: 'print the findings as JSON' },
]

const defaultTimeoutS = 6
const timeoutMinS = 0.2
const timeoutMaxS = 60

/** What the flags say. */
export interface DoctorFlags {
  readonly only: string | undefined
  readonly timeoutMs: number
  readonly json: boolean
  /** Names of groups of checks. */
  readonly wanted: readonly string[]
}

/** @throws BootswarmError USAGE_INVALID */
export function readFlags(flags: ReadonlyMap<string, string | true>): DoctorFlags {
  const text = flags.get('timeout-s') ?? String(defaultTimeoutS)
  const timeoutS = Number(text)
  if (text === '' || !(timeoutS >= timeoutMinS && timeoutS <= timeoutMaxS)) {
    throw new BootswarmError(
      'USAGE_INVALID',
      `--timeout-s: expected ${timeoutMinS} to ${timeoutMaxS}, got ${String(text).slice(0, 20)}`,
    )
  }
  const only = flags.get('interface')
  const named = flags.get('check')
  const wanted = typeof named === 'string' ? named.split(',') : checkNames
  const unknown = wanted.find((name) => !checkNames.includes(name))
  if (unknown !== undefined) {
    const known = checkNames.join(', ')
    throw new BootswarmError(
      'USAGE_INVALID',
      `--check: expected some of ${known}, got ${unknown.slice(0, 20)}`,
    )
  }
  return {
    only: typeof only === 'string' ? only : undefined,
    timeoutMs: Math.round(timeoutS * 1000),
    json: flags.has('json'),
    wanted,
  }
}

/** The text of `--help`. */
export function doctorHelp(): string {
  const [, ...lines] = helpText(doctorFlags).split('\n')
  return [
    'bootswarm doctor: checks this machine and the LAN for what keeps nodes from booting. Changes nothing.',
    'Exit codes: 0 nothing stops a boot, 1 something does, 2 wrong arguments. Run it as root: else some checks are left out.',
    'It reads the configuration that the server reads; give it the same flags:',
    ...lines,
  ].join('\n')
}
