/** The flags that every `image ...` has, and what was given as a map. */
import { type Flag, parseFlags } from '../src/command-line.js'
import { BootswarmError } from '../src/errors.js'

export const commonFlags: readonly Flag[] = [
  {
    name: 'config',
    value: 'FILE',
    description: 'configuration of the server (default: bootswarm.yaml if it is there)',
  },
  { name: 'json', description: 'print what was made as JSON' },
  { name: 'dry-run', description: 'say what would be made; write nothing but the cache of downloads' },
  { name: 'help', description: 'this text' },
]

/**
 * The value of each flag that was given, the last one where it was given twice; empty for one that takes none.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function readFlags(args: readonly string[], flags: readonly Flag[]): ReadonlyMap<string, string> {
  const given = parseFlags(args, flags)
  const empty = given.find(({ value }) => value === '')
  if (empty !== undefined) throw new BootswarmError('USAGE_INVALID', `--${empty.name} needs a value`)
  return new Map(given.map(({ name, value = '' }) => [name, value]))
}
