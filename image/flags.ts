/** The flags of `image ...`: `--flag value`, `--flag=value`, `--flag`. Pure. */

import { BootswarmError } from '../src/errors.js'
import { nearest } from '../src/spelling.js'

/** A flag. */
export interface Flag {
  /** Without dashes. */
  readonly name: string
  /** What its value is called in the help; none if it takes none. */
  readonly value?: string
  readonly description: string
}

/** The flags that every kind of image has. */
export const commonFlags: readonly Flag[] = [
  {
    name: 'config',
    value: 'FILE',
    description: 'configuration of the server (default: bootswarm.yaml if it is there)',
  },
  { name: 'json', description: 'print what was made as JSON' },
  { name: 'dry-run', description: 'say what would be made, and make nothing' },
  { name: 'help', description: 'this text' },
]

/**
 * The flags that were given: their value, or true.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseFlags(args: readonly string[], flags: readonly Flag[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>()
  const rest = [...args]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name, inline] = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(word) ?? []
    const flag =
      flags.find((one) => one.name === name) ??
      (word === '-h' ? flags.find((one) => one.name === 'help') : undefined)
    if (flag === undefined) {
      const meant = nearest(
        word,
        flags.map((one) => `--${one.name}`),
      )
      throw usage(
        `${JSON.stringify(word.slice(0, 80))} is no flag${meant ? `: did you mean ${meant}?` : ': see --help'}`,
      )
    }
    if (flag.value === undefined) {
      if (inline !== undefined) throw usage(`--${flag.name} takes no value`)
      given.set(flag.name, 'true')
      continue
    }
    const value = inline ?? rest.shift()
    if (value === undefined || value === '') throw usage(`--${flag.name} needs a value`)
    given.set(flag.name, value)
  }
  return given
}

/** The lines of the help about flags. */
export function flagsHelp(flags: readonly Flag[]): string {
  const rows = flags.map(({ name, value, description }) => {
    const left = `--${name}${value === undefined ? '' : ` ${value}`}`
    return left.length > 24
      ? `  ${left}\n${' '.repeat(28)}${description}`
      : `  ${left.padEnd(26)}${description}`
  })
  return `${rows.join('\n')}\n`
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
