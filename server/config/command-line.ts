/** The command line: a flag for every value of the configuration, those of the program itself, and `--help`. */

import { type Flag, flagsHelp, parseFlags } from '../../src/command-line.js'
import { type ConfigKey, configKeys } from '../../src/config-keys.js'
import type { ConfigOverride } from '../../src/config-parse.js'

/** A parsed command line. */
export interface CommandLine {
  readonly file: string | undefined
  readonly overrides: readonly ConfigOverride[]
  readonly flags: ReadonlyMap<string, string | true>
}

const OWN: readonly Flag[] = [
  {
    name: 'config',
    value: 'FILE',
    description: 'configuration file (default: bootswarm.yaml if it is there)',
  },
  { name: 'help', description: 'this text' },
]

/** A flag for every value of the configuration, and what it sets. */
const ofConfig: readonly (Flag & { readonly key: ConfigKey })[] = configKeys.map((key) => ({
  key,
  name: key.flag.slice(2),
  value: valueName(key),
  ...(key.kind === 'boolean' ? { valueOptional: true, negatable: true } : {}),
  description: `${key.description} (default: ${formatDefault(key.default)})`,
}))

/**
 * `--flag value`, `--flag=value`, `--flag` and `--no-flag` for true and false. `--help` is in `flags`.
 *
 * @param extra flags that are no value of the configuration
 * @throws BootswarmError USAGE_INVALID
 */
export function parseCommandLine(argv: readonly string[], extra: readonly Flag[]): CommandLine {
  const overrides: ConfigOverride[] = []
  const flags = new Map<string, string | true>()
  for (const { name, value } of parseFlags(argv, [...OWN, ...extra, ...ofConfig])) {
    const key = ofConfig.find((flag) => flag.name === name)?.key
    if (key === undefined) flags.set(name, value ?? true)
    else overrides.push({ key, source: key.flag, text: value ?? 'true' })
  }
  const file = flags.get('config')
  return { file: typeof file === 'string' ? file : undefined, overrides, flags }
}

/** The text of `--help`, all from the schema. */
export function helpText(extra: readonly Flag[] = []): string {
  return [
    'bootswarm: the server. Every value may also stand in bootswarm.yaml (http.port) or in a variable (BOOTSWARM_HTTP_PORT).',
    '',
    flagsHelp([...OWN, ...extra, ...ofConfig], 30),
  ].join('\n')
}

function valueName(key: ConfigKey): string {
  if (key.choices) return key.choices.join('|')
  return key.kind === 'number' ? 'N' : key.kind === 'yaml' ? 'YAML' : 'TEXT'
}

/** A default as text. */
function formatDefault(value: unknown): string {
  if (value === '') return 'none'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
