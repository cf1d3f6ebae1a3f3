/** `bootswarm config apply FILE`: puts a configuration in the place of the one in use, and tells the running server. */

import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { complain, printLines } from '../../host/console.js'
import { configPath, readPlacedConfig } from '../../server/config/load.js'
import { diffConfigs } from '../../src/config-diff.js'
import { BootswarmError } from '../../src/errors.js'
import type { Given } from './arguments.js'
import { diffLines } from './diff-text.js'
import { lastOf, type Surroundings } from './flags.js'
import { replaceFile } from './replace-file.js'
import { signalServer } from './signal-server.js'

/** @throws BootswarmError CONFIG_INVALID, CONFIG_NOT_WRITTEN, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE, USAGE_INVALID */
export async function run(given: Given, around: Surroundings): Promise<number> {
  const target = configPath(around, lastOf(given, 'config'))
  const after = readPlacedConfig(around, given.word)
  const text = after.file?.text ?? ''
  const before = readInUse(around, lastOf(given, 'config'))
  if (before !== undefined) {
    printLines(diffLines(diffConfigs(before.config, after.config)))
    if (before.file?.text === text) return 0
  }
  if (given.flags.has('dry-run')) return 0
  if (!given.flags.has('yes') && !(await isAgreed(target))) {
    printLines(['Nothing was changed.'])
    return 1
  }
  replaceFile(target, text)
  printLines([`${target} is written.`])
  const dataDir = lastOf(given, 'data-dir') ?? (before ?? after).config.data_dir
  printLines([signalServer(resolve(around.cwd, dataDir))])
  return 0
}

/** Undefined if it is wrong: then it can be replaced, but not compared. */
function readInUse(around: Surroundings, named: string | undefined) {
  try {
    return readPlacedConfig(around, named)
  } catch (error) {
    if (!(error instanceof BootswarmError)) throw error
    complain(`The configuration in use cannot be compared: ${error.code}: ${error.message}`)
    return undefined
  }
}

async function isAgreed(target: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new BootswarmError(
      'USAGE_INVALID',
      'nobody can be asked here: --yes changes the file without asking',
    )
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test(
      (await terminal.question(`Write this to ${JSON.stringify(target)}? [y/N] `)).trim(),
    )
  } finally {
    terminal.close()
  }
}
