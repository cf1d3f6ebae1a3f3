/** The command line: a flag for every value of the configuration, those of the program itself, and `--help`. */

import { type ConfigKey, configKeys } from '../../src/config-keys.js'
import { type ConfigOverride, keyOfFlag } from '../../src/config-parse.js'
import { BootswarmError } from '../../src/errors.js'
import { nearest } from '../../src/spelling.js'

/** A flag that is no value of the configuration. */
export interface ExtraFlag {
  /** Without dashes: `demo`. */
  readonly name: string
  /** What its value is called in the help; none if it takes none. */
  readonly value?: string
  readonly description: string
}

/** What a command line says. */
export interface CommandLine {
  readonly file: string | undefined
  readonly overrides: readonly ConfigOverride[]
  readonly flags: ReadonlyMap<string, string | true>
}

const OWN: readonly ExtraFlag[] = [
  {
    name: 'config',
    value: 'FILE',
    description: 'configuration file (default: bootswarm.yaml if it is there)',
  },
  { name: 'help', description: 'this text' },
]

/**
 * `--flag value`, `--flag=value`, `--flag` and `--no-flag` for true and false. `--help` is in `flags`.
 *
 * @throws BootswarmError USAGE_INVALID
 */
export function parseCommandLine(argv: readonly string[], extra: readonly ExtraFlag[]): CommandLine {
  const overrides: ConfigOverride[] = []
  const flags = new Map<string, string | true>()
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const match = /^(--[a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(word)
    if (!match?.[1]) throw usage(`${JSON.stringify(word.slice(0, 80))} is no flag`)
    const [, flag, given] = match
    const takeValue = (): string => {
      const value = given ?? rest.shift()
      if (value === undefined) throw usage(`${flag} needs a value`)
      return value
    }
    const own = [...OWN, ...extra].find(({ name }) => `--${name}` === flag)
    if (own) {
      if (own.value === undefined && given !== undefined) throw usage(`${flag} takes no value`)
      flags.set(own.name, own.value === undefined ? true : takeValue())
      continue
    }
    const key = keyOfFlag(flag)
    const negated = flag.startsWith('--no-') ? keyOfFlag(`--${flag.slice(5)}`) : undefined
    if (key?.kind === 'boolean') overrides.push({ key, source: flag, text: given ?? 'true' })
    else if (key) overrides.push({ key, source: flag, text: takeValue() })
    else if (negated?.kind === 'boolean' && given === undefined) {
      overrides.push({ key: negated, source: flag, text: 'false' })
    } else throw unknown(flag, extra)
  }
  const file = flags.get('config')
  return { file: typeof file === 'string' ? file : undefined, overrides, flags }
}

/** The text of `--help`, all from the schema. */
export function helpText(extra: readonly ExtraFlag[] = []): string {
  const rows = [
    ...[...OWN, ...extra].map(({ name, value, description }) => [
      `--${name}${value === undefined ? '' : ` ${value}`}`,
      description,
    ]),
    ...configKeys.map((key) => [
      key.kind === 'boolean' ? `${key.flag}, --no-${key.flag.slice(2)}` : `${key.flag} ${valueName(key)}`,
      `${key.description} (default: ${formatDefault(key.default)})`,
    ]),
  ] as [string, string][]
  const lines = rows.map(([left, right]) =>
    left.length > 26 ? `  ${left}\n${' '.repeat(30)}${right}` : `  ${left.padEnd(26)}  ${right}`,
  )
  return [
    'bootswarm: the server. Every value may also stand in bootswarm.yaml (http.port) or in a variable (BOOTSWARM_HTTP_PORT).',
    '',
    ...lines,
    '',
  ].join('\n')
}

function valueName(key: ConfigKey): string {
  if (key.choices) return key.choices.join('|')
  return key.kind === 'number' ? 'N' : key.kind === 'yaml' ? 'YAML' : 'TEXT'
}

/** A default as text. */
function formatDefault(value: unknown): string {
  if (value === '') return 'none'
  if (typeof value === 'object') return Array.isArray(value) ? '[]' : '{}'
  return String(value)
}

function unknown(flag: string, extra: readonly ExtraFlag[]): BootswarmError {
  const known = [...configKeys.map((key) => key.flag), ...[...OWN, ...extra].map(({ name }) => `--${name}`)]
  const meant = nearest(flag, known)
  return usage(`there is no flag ${flag.slice(0, 80)}${meant ? `: did you mean ${meant}?` : ': see --help'}`)
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
