/** A configuration from a text, for tests of what is made with it. */
import type { Config } from '../../src/config.js'
import { type ConfigFile, type ConfigOverride, parsePlacedConfig } from '../../src/config-parse.js'

/** As the server parses it, without the places of its values. */
export function parseConfig(file: ConfigFile | undefined, overrides: readonly ConfigOverride[] = []): Config {
  return parsePlacedConfig(file, overrides).config
}
