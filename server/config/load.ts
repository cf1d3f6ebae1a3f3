/** Reads the configuration: file, then BOOTSWARM_* variables, then flags; the later win. */

import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { addressesOf, chooseAddress, type HostInterface } from '../../host/interfaces.js'
import type { Flag } from '../../src/command-line.js'
import type { Config } from '../../src/config.js'
import { configKeys } from '../../src/config-keys.js'
import {
  type ConfigFile,
  type ConfigOverride,
  keyOfVariable,
  type PlacedConfig,
  parsePlacedConfig,
} from '../../src/config-parse.js'
import { BootswarmError } from '../../src/errors.js'
import { CONFIG_BYTES_MAX } from '../../src/limits.js'
import { nearest } from '../../src/spelling.js'
import { parseCommandLine } from './command-line.js'

export { helpText } from './command-line.js'

/** What the configuration is read from; `main` alone knows argv and the environment. */
export interface LoadOptions {
  /** Without the executable and the script. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly interfaces: readonly HostInterface[]
  /** Flags of the program itself, such as `--demo`. */
  readonly extraFlags?: readonly Flag[]
  /** BOOTSWARM_* variables that are no configuration keys of the server. */
  readonly extraVariables?: readonly string[]
}

/** What was read. */
export interface LoadedConfig {
  /** Paths absolute (relative ones count from the working directory), `address` an IP address. */
  readonly config: Config
  /** Where its values were given. */
  readonly placeOf: PlacedConfig['placeOf']
  /** The file that was read. */
  readonly file: string | undefined
  /** `address` is `auto`: it was chosen now, and may be another later. */
  readonly isAddressAuto: boolean
  /** The program's own flags that were given: their value, or true. */
  readonly flags: ReadonlyMap<string, string | true>
  /** Every address of this machine and the configured one: the names of its certificate. */
  readonly addresses: readonly string[]
}

const DEFAULT_FILE = 'bootswarm.yaml'
const VARIABLE_OF_FILE = 'BOOTSWARM_CONFIG'
/** What the command line reads to reach another machine's server: an operator may have them set here too. */
const VARIABLES_OF_CLIENT = ['BOOTSWARM_SERVER', 'BOOTSWARM_TOKEN']

/** @throws BootswarmError CONFIG_INVALID, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE, USAGE_INVALID */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const line = parseCommandLine(options.argv, options.extraFlags ?? [])
  const named = line.file ?? options.env[VARIABLE_OF_FILE]
  const file = readFile(options.cwd, named)
  const overrides = [...fromVariables(options.env, options.extraVariables ?? []), ...line.overrides]
  const { config, placeOf } = parsePlacedConfig(file, overrides)
  const addresses = addressesOf(options.interfaces)
  const address =
    config.address === 'auto' ? chooseAddress(options.interfaces, config.netboot) : config.address
  const dataDir = resolve(options.cwd, config.data_dir)
  return {
    config: {
      ...config,
      address,
      data_dir: dataDir,
      artifacts_dir: resolve(options.cwd, config.artifacts_dir),
      database: resolve(dataDir, config.database),
      netboot: {
        ...config.netboot,
        ipxe_dir: config.netboot.ipxe_dir && resolve(options.cwd, config.netboot.ipxe_dir),
      },
    },
    placeOf,
    file: file && resolve(options.cwd, file.name),
    isAddressAuto: config.address === 'auto',
    flags: line.flags,
    addresses: [...new Set([address, ...addresses])],
  }
}

/**
 * Reads a configuration without starting anything: the named file, else the one that the server would read, and
 * BOOTSWARM_* variables. Paths are as they were written. `file` is missing where there is none.
 *
 * @throws BootswarmError CONFIG_INVALID, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE
 */
export function readPlacedConfig(
  { env, cwd }: Pick<LoadOptions, 'env' | 'cwd'>,
  named?: string,
): PlacedConfig & { readonly file: ConfigFile | undefined } {
  const file = readFile(cwd, named ?? env[VARIABLE_OF_FILE])
  return { ...parsePlacedConfig(file, fromVariables(env, [])), file }
}

/** The path of the file that the server would read, whether it is there or not. */
export function configPath({ env, cwd }: Pick<LoadOptions, 'env' | 'cwd'>, named?: string): string {
  return resolve(cwd, named ?? env[VARIABLE_OF_FILE] ?? DEFAULT_FILE)
}

function readFile(cwd: string, named: string | undefined): ConfigFile | undefined {
  const name = named ?? DEFAULT_FILE
  const path = resolve(cwd, name)
  try {
    if (statSync(path).size > CONFIG_BYTES_MAX) throw new Error(`larger than ${CONFIG_BYTES_MAX} bytes`)
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    return { text, name }
  } catch (cause) {
    if (named === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new BootswarmError('CONFIG_UNREADABLE', `${join(path)}: ${(cause as Error).message}`, { cause })
  }
}

function fromVariables(env: LoadOptions['env'], extra: readonly string[]): ConfigOverride[] {
  const overrides: ConfigOverride[] = []
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith('BOOTSWARM_')) continue
    if (name === VARIABLE_OF_FILE || VARIABLES_OF_CLIENT.includes(name) || extra.includes(name)) continue
    const key = keyOfVariable(name)
    if (!key) {
      const meant = nearest(
        name,
        configKeys.map((known) => known.variable),
      )
      throw new BootswarmError(
        'CONFIG_UNKNOWN_KEY',
        `${name.slice(0, 80)}: there is no such variable${meant ? `: did you mean ${meant}?` : ''}`,
      )
    }
    overrides.push({ key, source: name, text })
  }
  return overrides
}
